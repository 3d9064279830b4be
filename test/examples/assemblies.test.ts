import { describe, expect, it } from 'vitest';
import { readModuleDirectory } from '../../cli/module/directory.ts';
import type { TargetView } from '../../daemon/src/catalog/instances/desired/desired.types.ts';
import { expand } from '../../daemon/src/catalog/instances/desired/expand.ts';
import type { ModuleCopy, ServiceFiles } from '../../daemon/src/catalog/instances/instances.types.ts';
import { digestOf, packArchive, unpackArchive } from '../../protocol/modules/archive.ts';
import { soundModule } from '../../protocol/modules/check.ts';
import { desiredOf, filesOf, type WorldOptions, world } from '../catalog/instances/desired/fixtures.ts';

const SECRET = 'site-credential';

async function copyOf(name: string): Promise<ModuleCopy> {
  const bytes = packArchive(await readModuleDirectory(new URL(`../../examples/modules/${name}`, import.meta.url).pathname));
  const archive = unpackArchive(bytes);
  const manifest = await soundModule(archive);
  return { name: manifest.module, version: manifest.version, manifest, archive, bytes, digest: digestOf(bytes) };
}

/** The files of a service that was staged. */
async function staged(module: 'web' | 'hosts', assembly: string, parameters: object, more: object = {}): Promise<ServiceFiles> {
  const copies = await Promise.all((module === 'web' ? ['web', 'database'] : ['hosts']).map(copyOf));
  const { target, parameters: rules, ...body } = copies[0]?.manifest.assemblies?.[assembly] ?? {};
  return filesOf(
    {
      ...body,
      module: `example/${module}`,
      assembly,
      ...(target === undefined ? {} : { 'target-kind': target }),
      ...(rules === undefined ? {} : { 'parameter-rules': rules }),
      parameters,
      ...more,
    },
    ...copies,
  );
}

async function target(assembly: string, parameters: object): Promise<TargetView> {
  const files = await staged('hosts', assembly, { credential: SECRET, ...parameters });
  const { offers } = await desiredOf(files, world({ secrets: [SECRET] }));
  return { name: 'prod', isTarget: true, kind: files.service.kind, phase: 'Ready', offers, secretOffers: ['credential'] };
}

async function webTier(parameters: object, targets: readonly TargetView[], more: WorldOptions = {}) {
  const files = await staged('web', 'web-tier', parameters, { target: 'prod' });
  return expand(files, world({ secrets: [SECRET], targets, ...more }));
}

describe('the example assemblies', () => {
  it('come to a database and a web service on one node', async () => {
    const { resources } = await desiredOf(await staged('web', 'single', { port: 18_081 }));
    expect([...resources.values()].map(({ name, node, needs }) => ({ name, node, needs }))).toEqual([
      { name: 'db', node: 'node1', needs: [] },
      { name: 'web', node: 'node1', needs: ['db'] },
    ]);
    expect(resources.get('web')?.properties).toEqual({
      port: 18_081,
      greeting: 'Hello',
      'database-host': '127.0.0.1',
      'database-port': 16_379,
    });
  });

  it('are targets that offer nodes by a tag, or by their names', async () => {
    const files = await staged('hosts', 'local-nodes', { tag: 'web', credential: SECRET });
    const { resources } = await desiredOf(files, world({ secrets: [SECRET] }));
    expect([...resources.keys()]).toEqual(['host-node2', 'host-node3']);
    expect((await target('local-nodes', { tag: 'web' })).offers).toMatchObject({
      nodes: 'tags=web',
      credential: SECRET,
      network: 'loopback',
    });
    expect((await target('static-hosts', { hosts: ['node1', 'node3'] })).offers).toMatchObject({ nodes: 'name=node1,node3' });
  });

  it('go, unchanged, to the nodes of one target or of another, with its credential', async () => {
    const placed = async (prod: TargetView) => {
      const { desired, violations } = await webTier({ count: 2 }, [prod]);
      expect(violations).toEqual([]);
      expect(desired.resources.get('db')?.properties).toMatchObject({ password: SECRET });
      expect(desired.resources.get('web-2')?.properties).toMatchObject({ 'database-password': SECRET, 'database-port': 16_379 });
      expect(desired.apps.map(({ node, endpoints }) => ({ node, endpoints }))).toHaveLength(2);
      return [...desired.resources.values()].map(({ name, node }) => `${name}@${node}`);
    };
    expect(await placed(await target('local-nodes', { tag: 'web' }))).toEqual(['db@node2', 'web-1@node3', 'web-2@node2']);
    expect(await placed(await target('static-hosts', { hosts: ['node1', 'node3'] }))).toEqual(['db@node1', 'web-1@node3', 'web-2@node1']);
  });

  it('need a target, and as many nodes as they want', async () => {
    const kinds = async (...args: Parameters<typeof webTier>) => (await webTier(...args)).violations.map(({ kind }) => kind);
    expect(await kinds({}, [])).toContain('TARGET_MISSING');
    expect(await kinds({ count: 3 }, [await target('local-nodes', { tag: 'web' })])).toEqual(['NODE_LIMIT']);
  });
});
