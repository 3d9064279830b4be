import { describe, expect, test } from 'vitest';
import { chooseResource } from '../../../daemon/src/dispatch/plan/candidates.ts';
import { deployedOn, indexOf } from '../../../daemon/src/dispatch/plan/targets.ts';
import { DESK, type Given, keyFor, lines, OPS, plannerFor, viewOf } from './world.ts';

/** A reference, as texts of commands have it. */
const LEVEL = ['$', '{options.level}'].join('');
const shell = (inline: string) => ({ script: { inline } });
const NODES = { web1: { tags: ['web'] }, web2: { tags: ['web'] }, db1: { tags: ['db'] }, desk: {} };

const service: Given = {
  nodes: NODES,
  types: {
    Service: {
      commands: {
        Start: { options: { port: { type: 'integer', required: true }, slow: { type: 'boolean' } }, ...shell('echo start') },
        Stop: shell('echo stop'),
        helper: { private: true, ...shell('echo help') },
      },
    },
    Tomcat: { extends: 'Service', commands: { Stop: { timeout: '2h', ...shell('echo tomcat') } } },
  },
  resources: {
    shop: { type: 'Tomcat', on: ['web2', 'web1', 'desk'] },
    lonely: { type: 'Service' },
    elsewhere: { type: 'Service', on: ['mars'] },
    mail: { type: 'Service', on: ['web1'], owner: 'web1' },
    mail2: { type: 'Service', on: ['web1'], owner: 'web1', model: 'other' },
  },
};
const command = { type: 'Tomcat', resource: 'shop', command: 'Stop' };

describe('a plan', () => {
  test('is for this node alone without a filter', async () => {
    const plan = await plannerFor(service).plan(OPS, command);
    expect(lines(plan)).toEqual(['0: desk shop Stop']);
    expect(plan.parts[0]?.target).toMatchObject({ self: true, domain: '' });
    expect(plan.timeoutMs).toBe(2 * 3_600_000);
  });

  test('is for the nodes of the filter on which it is deployed, this one first', async () => {
    const planner = plannerFor(service);
    expect(lines(await planner.plan(OPS, { ...command, filter: { include: ['.*'] } }))).toEqual([
      '0: desk shop Stop',
      '0: web1 shop Stop',
      '0: web2 shop Stop',
    ]);
    expect(lines(await planner.plan(OPS, { ...command, filter: { include: ['tags=web,db'] } }))).toEqual([
      '0: web1 shop Stop',
      '0: web2 shop Stop',
    ]);
    expect(lines(await planner.plan(OPS, { ...command, filter: { include: ['.*'] }, only: ['web2', 'db1'] }))).toEqual([
      '0: web2 shop Stop',
    ]);
    expect(lines(await planner.plan(OPS, { ...command, only: ['web1'] }))).toEqual(['0: web1 shop Stop']);
  });

  test('goes to the node that is meant, whoever else says that its signing key is theirs', async () => {
    const claims = { zeta: 'web1', yota: DESK };
    const planner = plannerFor({ ...service, nodes: { ...NODES, zeta: {}, yota: {} }, claims });
    const everywhere = { include: ['.*'] };
    expect(lines(await planner.plan(OPS, { ...command, filter: everywhere }))).toEqual([
      '0: desk shop Stop',
      '0: web1 shop Stop',
      '0: web2 shop Stop',
    ]);
    const mail = { model: 'web1/demo', resource: 'mail', command: 'Stop', filter: everywhere };
    expect(lines(await planner.plan(OPS, mail))).toEqual(['0: web1 mail Stop']);
  });

  test('goes to none of those that say one signing key where the owner calls it otherwise', () => {
    const deployment = { node: 'www', signingKey: keyFor('web1').publicKey };
    const resource = { object: 'r', uid: 'u', model: 'm', type: 'T', name: 'r', labels: {}, properties: {}, parents: [], children: [] };
    const on = (...views: ReturnType<typeof viewOf>[]) =>
      deployedOn({ ...resource, deployments: [deployment] }, indexOf(views), false).views.map(({ node }) => node);
    expect(on(viewOf('web1', {}, false))).toEqual(['web1']);
    expect(on(viewOf('web1', {}, false), viewOf('zeta', {}, false, 'web1'))).toEqual([]);
  });

  test('names the code that may run, as the nearest type has it', async () => {
    const [part] = (await plannerFor(service).plan(OPS, command)).parts;
    expect(part?.work.type === 'command' ? Object.keys(part.work.code) : []).toEqual(['type/Tomcat']);
  });

  test('leaves out nodes in maintenance, but not this one', async () => {
    const nodes = { ...NODES, web1: { tags: ['web'], maintenance: { reason: 'disks' } }, desk: { maintenance: {} } };
    const { parts } = await plannerFor({ ...service, nodes }).plan(OPS, { ...command, filter: { include: ['.*'] } });
    expect(parts.map(({ target, skip }) => [target.node, skip?.reason])).toEqual([
      ['desk', undefined],
      ['web1', 'web1 is in maintenance: disks'],
      ['web2', undefined],
    ]);
  });

  test('tells of deployments on nodes that nobody knows', async () => {
    const given = { ...service, resources: { shop: { type: 'Tomcat', on: ['web1', 'mars'] } } };
    const { notes } = await plannerFor(given).plan(OPS, { ...command, filter: { include: ['.*'] } });
    expect(notes.join()).toContain('mars');
  });

  test('of a program or a file is for nodes themselves', async () => {
    const planner = plannerFor(service);
    const exec = { exec: { argv: ['ls'] } };
    expect(lines(await planner.plan(OPS, exec))).toEqual(['0: desk exec']);
    expect(lines(await planner.plan(OPS, { ...exec, filter: { include: ['tags=db'] } }))).toEqual(['0: db1 exec']);
    expect(lines(await planner.plan(OPS, { get: { path: '/etc/hosts' }, filter: { include: ['tags=web'] } }))).toEqual([
      '0: web1 get',
      '0: web2 get',
    ]);
  });

  test('takes resources of other nodes, told apart by their models', async () => {
    const planner = plannerFor(service);
    const all = { include: ['.*'] };
    expect(lines(await planner.plan(OPS, { type: 'Service', resource: 'mail', command: 'Stop', filter: all }))).toEqual([
      '0: web1 mail Stop',
    ]);
    const twice = {
      ...service,
      resources: {
        ...service.resources,
        mail: { type: 'Service', on: ['web1'], owner: 'web1' },
        'mail-b': { type: 'Service', owner: 'web2' },
      },
    };
    expect(lines(await plannerFor(twice).plan(OPS, { model: 'web1/demo', resource: 'mail', command: 'Stop', filter: all }))).toEqual([
      '0: web1 mail Stop',
    ]);
  });
});

describe('a plan is refused', () => {
  const all = { filter: { include: ['.*'] } };
  test.each([
    ['of a resource that is nowhere', { resource: 'lonely', command: 'Stop', ...all }, 'NOT_DEPLOYED', 'not deployed on any node'],
    ['of one on a node that nobody knows', { resource: 'elsewhere', command: 'Stop', ...all }, 'NOT_DEPLOYED', 'mars'],
    ['of one that is not on this node', { resource: 'mail', command: 'Stop' }, 'NOT_DEPLOYED', 'it is on web1'],
    ['where the filter leaves nothing of it', { ...command, filter: { include: ['tags=db'] } }, 'NO_MATCH', 'web1'],
    ['where the filter matches no node', { ...command, filter: { include: ['tags=none'] } }, 'NO_MATCH', 'tags=none'],
    ['of an unknown command', { ...command, command: 'Stpo' }, 'NOT_FOUND', 'Stpo'],
    ['of a private command', { ...command, command: 'helper' }, 'FORBIDDEN', 'private'],
    ['of an unknown resource', { resource: 'nothing', command: 'Stop' }, 'NOT_FOUND', 'nothing'],
    ['with an option that is missing', { ...command, command: 'Start' }, 'INVALID', 'port'],
    ['with an option that is ill-typed', { ...command, command: 'Start', options: { port: 'x' } }, 'INVALID', 'whole number'],
    ['with an option that is unknown', { ...command, command: 'Start', options: { port: '1', prot: '2' } }, 'INVALID', 'prot'],
    ['without a command', { resource: 'shop' }, 'BAD_REQUEST', 'which command'],
    ['with two things to do', { ...command, exec: { argv: ['ls'] } }, 'BAD_REQUEST', 'several'],
    ['with nothing to do', {}, 'BAD_REQUEST', 'does not say what to do'],
    ['with a timeout of nothing', { ...command, timeout: '0s' }, 'BAD_REQUEST', 'timeout'],
  ])('%s', async (_name, request, code, text) => {
    await expect(plannerFor(service).plan(OPS, request)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  });

  test('where several resources are meant, with all of them', () => {
    const match = (node: string, type = 'Service') => ({ node, object: 'mail', model: 'demo', type, name: 'mail' });
    const sought = { type: 'Service', name: 'mail' };
    const choose = (found: ReturnType<typeof match>[]) => chooseResource(sought, found, 'desk', []);
    expect(() => choose([match('web1'), match('web2')])).toThrow(
      expect.objectContaining({ code: 'AMBIGUOUS', message: expect.stringContaining('web1/demo Service mail, web2/demo Service mail') }),
    );
    expect(choose([match('web1'), match('desk')]).node).toBe('desk');
    expect(choose([match('web1', 'Tomcat'), match('web2')]).node).toBe('web2');
  });

  test('where one word of a resource is a slip, with what was perhaps meant', () => {
    const there = [{ node: 'desk', object: 'mail', model: 'demo', type: 'Service', name: 'mail' }];
    const advice = (sought: { name: string; type?: string; model?: string }) => () => chooseResource(sought, [], 'desk', [], there);
    for (const sought of [{ name: 'mial' }, { name: 'mail', type: 'Servce' }, { name: 'mail', model: 'dmo' }]) {
      expect(advice(sought)).toThrow(
        expect.objectContaining({ next: expect.stringContaining('Did you mean Service/mail in model "demo"?') }),
      );
    }
    expect(advice({ name: 'news' })).toThrow(expect.objectContaining({ next: expect.not.stringContaining('Did you mean') }));
  });

  test('naming the nodes that did not answer', async () => {
    const planner = plannerFor({ ...service, unanswered: ['web9'] });
    await expect(planner.plan(OPS, { resource: 'nothing', command: 'Stop' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'no resource "nothing" was found',
      next: expect.stringContaining('web9'),
    });
  });

  test('but not where nothing is fine', async () => {
    const plan = await plannerFor(service).plan(OPS, { ...command, filter: { include: ['tags=db'] }, allowEmpty: true });
    expect(plan.parts).toEqual([]);
  });
});

describe('a command of a site', () => {
  const dispatch = (more: object = {}) => ({ dispatch: { command: 'Stop', over: 'children', ...more } });
  const site = (commands: object): Given => ({
    nodes: NODES,
    types: { Service: { commands: { Stop: shell('echo stop'), Check: { options: { level: {} }, ...shell('true') } } }, Site: { commands } },
    resources: {
      all: { type: 'Site', children: ['db', 'shop', 'mail', 'nowhere'] },
      db: { type: 'Service', on: ['db1'], properties: { rank: 1 } },
      shop: { type: 'Service', on: ['web2', 'web1'], properties: { rank: 2 } },
      mail: { type: 'Service', on: ['web1'], properties: { rank: 2 } },
      nowhere: { type: 'Service', properties: { rank: 3 } },
    },
  });
  const request = { type: 'Site', resource: 'all', command: 'Do' };

  test('goes to the nodes of its members, and the filter narrows them', async () => {
    const planner = plannerFor(site({ Do: dispatch() }));
    const plan = await planner.plan(OPS, request);
    expect(lines(plan)).toEqual(['0: db1 db Stop', '0: web1 mail Stop', '0: web1 shop Stop', '0: web2 shop Stop']);
    expect(plan.notes.join()).toContain('demo.Service.nowhere is not deployed');
    expect(lines(await planner.plan(OPS, { ...request, filter: { include: ['tags=web'] } }))).toEqual([
      '0: web1 mail Stop',
      '0: web1 shop Stop',
      '0: web2 shop Stop',
    ]);
    await expect(planner.plan(OPS, { ...request, filter: { include: ['desk'] } })).rejects.toMatchObject({ code: 'NO_MATCH' });
  });

  test('goes by rank, group after group', async () => {
    const plan = await plannerFor(site({ Do: dispatch({ sort: 'rank' }) })).plan(OPS, request);
    expect(lines(plan)).toEqual(['0: db1 db Stop', '1: web1 mail Stop', '1: web1 shop Stop', '1: web2 shop Stop']);
    expect(plan.stages.map(({ afterFailure }) => afterFailure)).toEqual([2, 2]);
    const back = await plannerFor(site({ Do: dispatch({ sort: 'rank', reverse: true, 'keep-going': true, threads: 3 }) })).plan(OPS, {
      ...request,
      threads: 16,
    });
    expect(lines(back).at(-1)).toBe('1: db1 db Stop');
    expect(back.stages.map(({ afterFailure, threads, keepGoing }) => [afterFailure, threads, keepGoing])).toEqual([
      [1, 3, true],
      [2, 3, true],
    ]);
  });

  test('is for those whose type and name match', async () => {
    expect(lines(await plannerFor(site({ Do: dispatch({ name: '(db|mail)' }) })).plan(OPS, request))).toEqual([
      '0: db1 db Stop',
      '0: web1 mail Stop',
    ]);
    await expect(plannerFor(site({ Do: dispatch({ name: 'none' }) })).plan(OPS, request)).rejects.toMatchObject({ code: 'NO_MATCH' });
  });

  test('has nothing to do, and says so, where it needs no match and finds none; but a filter has to leave something of what it finds', async () => {
    const none = dispatch({ name: 'none', 'require-match': false });
    const steps = (...names: string[]) => ({ workflow: { steps: names.map((command) => ({ command })) } });
    const planner = plannerFor(site({ Do: none, Twice: steps('Do', 'Do'), Both: steps('Do', 'Some'), Some: dispatch() }));
    for (const command of ['Do', 'Twice']) {
      const { parts, notes } = await planner.plan(OPS, { ...request, command });
      expect([parts, notes]).toEqual([[], ['demo.Site.all Do is for children with name none, of which there are none']]);
    }
    const nowhere = { ...request, filter: { include: ['desk'] } };
    expect((await planner.plan(OPS, nowhere)).parts).toEqual([]);
    await expect(planner.plan(OPS, { ...nowhere, command: 'Both' })).rejects.toMatchObject({ code: 'NO_MATCH' });
  });

  test('may be several such, one after another', async () => {
    const commands = {
      Do: { workflow: { steps: [{ command: 'First', 'on-failure': 'ignore' }, { command: 'Second' }] } },
      First: { private: true, ...dispatch({ sort: 'rank' }) },
      Second: dispatch({ name: 'db', command: 'Check', options: { level: LEVEL } }),
    };
    const plan = await plannerFor(
      site({
        ...commands,
        Do: {
          options: { level: { default: 'high' } },
          workflow: {
            steps: [
              { command: 'First', 'on-failure': 'ignore' },
              { command: 'Second', options: { level: LEVEL } },
            ],
          },
        },
        Second: { options: { level: {} }, ...commands.Second },
      }),
    ).plan(OPS, request);
    expect(lines(plan)).toEqual(['0: db1 db Stop', '1: web1 mail Stop', '1: web1 shop Stop', '1: web2 shop Stop', '2: db1 db Check']);
    expect(plan.stages.map(({ afterFailure }) => afterFailure)).toEqual([2, 2, 3]);
    const last = plan.parts.at(-1)?.work;
    expect(last?.type === 'command' ? last.options : undefined).toEqual({ level: 'high' });
  });

  test.each([
    ['a handler', { command: 'First', 'on-failure': [{ command: 'First' }] }, 'handlers'],
    ['a retry', { command: 'First', retry: { attempts: 3 } }, 'retried'],
    ['a script', { script: { inline: 'true' } }, 'script'],
    ['a timeout', { command: 'First', timeout: '5s' }, 'timeout'],
  ])('cannot be mixed with %s', async (_name, step, text) => {
    const commands = { Do: { workflow: { steps: [{ command: 'First' }, step] } }, First: dispatch() };
    await expect(plannerFor(site(commands)).plan(OPS, request)).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining(text),
    });
  });

  test('may not come back to itself', async () => {
    const given = site({ Do: dispatch({ command: 'Do', type: 'Site' }) });
    const loop = { ...given, resources: { ...given.resources, all: { type: 'Site', children: ['all'] } } };
    await expect(plannerFor(loop).plan(OPS, request)).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('itself'),
    });
  });

  test('is unfolded in a time that goes by its steps, not by the ways through them', async () => {
    const twice = (name: string) => ({ workflow: { steps: [{ command: name }, { command: name }] } });
    const chain = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`c${at}`, twice(`c${at + 1}`)]));
    await expect(plannerFor(site({ ...chain, c40: shell('true') })).plan(OPS, { ...request, command: 'c0' })).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('nested more than'),
    });
  });

  test('is refused where workflows of workflows come to too many commands, also if these have no target', async () => {
    const often = (name: string) => ({ workflow: { steps: Array.from({ length: 250 }, () => ({ command: name })) } });
    const commands = { Do: often('A'), A: often('B'), B: often('C'), C: dispatch({ name: 'none', 'require-match': false }) };
    await expect(plannerFor(site(commands)).plan(OPS, { ...request, allowEmpty: true })).rejects.toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('commands'),
    });
  });

  test('is refused where options that are filled in come to more than a plan may have', async () => {
    const long = ['$', '{properties.long}'].join('').repeat(16);
    const steps = Array.from({ length: 40 }, () => ({ command: 'Part', options: { level: long } }));
    const given = site({ Do: { workflow: { steps } }, Part: { options: { level: {} }, ...dispatch() } });
    const large = { ...given.resources['all'], type: 'Site', properties: { long: 'x'.repeat(60_000) } };
    await expect(plannerFor({ ...given, resources: { ...given.resources, all: large } }).plan(OPS, request)).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('when they are filled in'),
    });
  });

  test('may be one of another site', async () => {
    const given = site({ Do: dispatch({ command: 'Stop', type: 'Service' }), All: dispatch({ command: 'Do', type: 'Site' }) });
    const nested = { ...given, resources: { ...given.resources, world: { type: 'Site', children: ['all'] } } };
    expect(lines(await plannerFor(nested).plan(OPS, { type: 'Site', resource: 'world', command: 'All' }))).toHaveLength(4);
  });
});

describe('an incomplete context', () => {
  test('lists models, types and resources, and then commands', async () => {
    const planner = plannerFor(service);
    const first = await planner.context(OPS, {});
    expect(first.types).toEqual([{ name: 'Service' }, { name: 'Tomcat' }]);
    expect(first.resources).toContainEqual({
      node: 'desk',
      model: 'demo',
      type: 'Tomcat',
      name: 'shop',
      deployments: ['web2', 'web1', 'desk'],
    });
    const second = await planner.context(OPS, { type: 'Tomcat', resource: 'shop' });
    expect(second.commands?.map(({ name, type }) => `${type}.${name}`)).toEqual(['Service.Start', 'Tomcat.Stop']);
  });

  test('lists what has a command, with its options, where only the resource is left out', async () => {
    const planner = plannerFor({
      ...service,
      types: { ...service.types, Disk: { commands: { Wipe: shell('true'), Stop: { private: true, ...shell('true') } } } },
      resources: { ...service.resources, sda: { type: 'Disk' } },
    });
    const stop = await planner.context(OPS, { command: 'Stop' });
    expect(stop.resources?.map(({ name }) => name)).toEqual(['shop', 'lonely', 'elsewhere', 'mail', 'mail2']);
    expect(stop.types).toEqual([{ name: 'Service' }, { name: 'Tomcat' }]);
    expect(stop.commands?.map(({ name, type }) => `${type}.${name}`)).toEqual(['Tomcat.Stop', 'Service.Stop']);
    const start = await planner.context(OPS, { type: 'Tomcat', command: 'Start' });
    expect(start.resources?.map(({ name }) => name)).toEqual(['shop']);
    expect(start.commands).toMatchObject([{ name: 'Start', type: 'Service', command: { options: { port: { type: 'integer' } } } }]);
    expect(await planner.context(OPS, { model: 'other', command: 'Wipe' })).toMatchObject({ models: [], types: [], resources: [] });
  });

  test('says that there are more resources than it lists', async () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`tomcat${at}`, { type: 'Tomcat' }]));
    for (const context of [{}, { command: 'Stop' }]) {
      const all = await plannerFor({ ...service, resources: many(500) }).context(OPS, context);
      expect([all.resources?.length, all.truncated]).toEqual([500, undefined]);
      const first = await plannerFor({ ...service, resources: many(501) }).context(OPS, context);
      expect([first.resources?.length, first.truncated]).toEqual([500, true]);
    }
  });
});
