/** The walk of the guide on real daemons: one command, locally, then everywhere, then by what the nodes are. */
import { beforeAll, describe, expect, it } from 'vitest';
import { useStage } from '../../harness/use-stage.ts';
import { deploy, type Field, MODEL, makeType, mark, marked, openField, shell } from './field.ts';

const stage = useStage({ story: true });

describe('a service on two nodes', () => {
  let field: Field;

  beforeAll(async () => {
    field = await openField(stage.current, { names: ['gozer', 'zuul', 'vinz'], tags: { gozer: 'dev', zuul: 'dev,web', vinz: 'web' } });
    await makeType(field, 'MyType', {
      assertServiceIsUp: shell(`echo up on $DTKD_NODE; ${mark(field, 'walk')}`),
      Start: { workflow: { steps: [{ command: 'assertServiceIsUp' }] } },
    });
    const [gozer, zuul] = field.sites;
    if (gozer === undefined || zuul === undefined) throw new Error('two sites');
    await deploy(field, 'MyType', 'myService', [gozer, zuul]);
  });

  async function ctl(...args: string[]) {
    const { code, stdout, stderr } = await field.ops.cli('ctl', '-p', MODEL, ...args);
    return { code, lines: stdout.split('\n').filter((line) => line !== ''), stderr };
  }

  it('runs here, in the form that people know', async () => {
    const { code, lines, stderr } = await ctl('-t', 'MyType', '-r', 'myService', '-c', 'Start');
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(lines).toContain('begin workflow command (1/1) -> "assertServiceIsUp " ...');
    expect(lines).toContain('up on gozer');
    expect(lines).toContain('end workflow command (1/1) -> "assertServiceIsUp "');
    expect(await marked(field, 'walk')).toEqual(['gozer']);
  });

  it('runs everywhere it is deployed, and says of each line where it comes from', async () => {
    const { code, lines } = await ctl('-I', '.*', '-t', 'MyType', '-r', 'myService', '-c', 'Start');
    expect(code).toBe(0);
    const prefix = '[ops@zuul demo.MyType.myService Start][INFO]';
    expect(lines).toContain('begin workflow command (1/1) -> "assertServiceIsUp " ...');
    expect(lines.some((line) => line.startsWith('Connecting to zuul'))).toBe(true);
    expect(lines).toContain('cmd : ctl -p demo -t MyType -r myService -c Start');
    expect(lines).toContain(`${prefix} begin workflow command (1/1) -> "assertServiceIsUp " ...`);
    expect(lines).toContain(`${prefix} up on zuul`);
    expect(lines).toContain(`${prefix} end workflow command (1/1) -> "assertServiceIsUp "`);
    expect((await marked(field, 'walk')).slice(1).sort()).toEqual(['gozer', 'zuul']);
  });

  it('runs by operating system and by tag, where it is deployed', async () => {
    expect(await ctl('-I', 'osfamily=unix', '-t', 'MyType', '-r', 'myService', '-c', 'Start')).toMatchObject({ code: 0 });
    expect((await marked(field, 'walk')).slice(3).sort()).toEqual(['gozer', 'zuul']);
    expect(await ctl('-I', 'tag=web', '-t', 'MyType', '-r', 'myService', '-c', 'Start')).toMatchObject({ code: 0 });
    expect((await marked(field, 'walk')).slice(5)).toEqual(['zuul']);
    expect(await ctl('-I', '.*', '-X', 'name=gozer', '-t', 'MyType', '-r', 'myService', '-c', 'Start')).toMatchObject({ code: 0 });
    expect((await marked(field, 'walk')).slice(6)).toEqual(['zuul']);
  });

  it('says what is wrong with a filter, and runs nothing', async () => {
    const nothing = await ctl('-I', 'tag=database', '-t', 'MyType', '-r', 'myService', '-c', 'Start');
    expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('match') });
    expect(await ctl('-I', 'tag=database', '--allow-empty', '-t', 'MyType', '-r', 'myService', '-c', 'Start')).toMatchObject({ code: 0 });
    const repeated = await ctl('-I', 'tag=dev', '-I', 'tag=web', '-t', 'MyType', '-r', 'myService', '-c', 'Start');
    expect(repeated).toMatchObject({ code: 2, stderr: expect.stringContaining('tag') });
    expect(await marked(field, 'walk')).toHaveLength(7);
  });

  it('lists what could be run where something is left out', async () => {
    const types = await ctl();
    expect([types.lines.join('\n'), types.stderr].join('\n')).toContain('MyType');
    const resources = await ctl('-t', 'MyType');
    expect([resources.lines.join('\n'), resources.stderr].join('\n')).toContain('myService');
    const commands = await ctl('-t', 'MyType', '-r', 'myService');
    expect([commands.lines.join('\n'), commands.stderr].join('\n')).toContain('Start');
    const having = await ctl('-t', 'MyType', '-c', 'Start');
    expect(having.lines.join('\n')).toContain('myService');
    expect(having.code).toBe(0);
  });
});
