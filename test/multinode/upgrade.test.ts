/**
 * A data directory that an early state of 0.1.0 left when it was killed (`test/fixtures/data-0.1.tar.gz`: a node with a domain, an app, a user with a
 * grant, a trust, a model, modules, a secret, an execution, and a service that was staged and not converged) is opened by the present program.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run } from '../harness/child.ts';
import { useStage } from '../harness/use-stage.ts';

const stage = useStage();
const KEPT = fileURLToPath(new URL('../fixtures/data-0.1.tar.gz', import.meta.url));

describe('data of an early version', () => {
  it('are all there, and go on', async () => {
    const { directory } = stage.current;
    expect((await run({ command: 'tar', args: ['-xzf', KEPT, '-C', directory] })).code).toBe(0);
    const node = await stage.current.start({ name: 'node0', dir: join(directory, 'node0') });
    expect(await node.get('dtdomain', 'mydomain')).toMatchObject({ status: 'Ready' });
    const namesOf = async (kind: string) => (await node.list(kind)).map(({ metadata }) => metadata.name);
    expect(await namesOf('dtapps')).toEqual(['wiki']);
    expect(await namesOf('users')).toEqual(['alice']);
    expect(await node.list('capabilities')).toMatchObject([{ spec: { to: 'alice@node0', verbs: ['READ'] } }]);
    expect(await node.list('trusts')).toMatchObject([{ metadata: { name: 'friends' } }]);
    expect(await namesOf('secrets')).toEqual(['word']);
    expect(await namesOf('modules')).toEqual(['example.database-1.0.0', 'example.web-1.1.0']);
    // Its execution is not looked for: it goes when it is thirty days old.
    for (const line of [
      ['audit', 'verify'],
      ['domain', 'invite', 'mydomain'],
      ['run', 'Stop', 'Clock/tower'],
      ['service', 'status', 'shop'],
      ['service', 'uninstall', 'shop', '--yes'],
    ]) {
      const { code, stdout, stderr } = await node.cli(...line);
      expect(code, `${line.join(' ')}: ${stdout}${stderr}`).toBe(0);
    }
    await node.restart();
    expect(await namesOf('serviceinstances')).toEqual([]);
  });
});
