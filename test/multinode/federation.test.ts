import { beforeAll, describe, expect, it } from 'vitest';
import { STALE_ANNOTATION } from '../../protocol/objects/completeness.ts';
import { Child } from '../harness/child.ts';
import { connected, formDomain } from '../harness/domain.ts';
import { Informer } from '../harness/informer.ts';
import { DTKD, NODE } from '../harness/node-binary.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant, type Listed, modelDocument, revoke, type SiteUser } from '../harness/user.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const DOMAIN = 'union';
const MODELS = { kind: 'models.dtkd.dev' };

/** What one node may take to answer, as the CLI and the API have it if nothing is said. */
const PEER_TIMEOUT_MS = 2_000;
/** Beyond all limits that the daemon has: an answer that waits for a frozen node comes never. */
const BUSY_MACHINE_MS = 60_000;
/** For tests in which it does not matter how soon a node answers: a slow node is not away. */
const PATIENT = { peerTimeoutMs: '30000' };

/** The sentence that all of it is for: whatever you have capabilities on, on any node, is visible from your own. */
describe('models of three nodes, asked for at one', () => {
  let node0: Site;
  let node1: Site;
  let node2: Site;
  let ops: SiteUser;
  let onNode1: string;
  let onNode2: string;

  beforeAll(async () => {
    [node0, node1, node2] = (await stage.current.startAll('node0', 'node1', 'node2')) as [Site, Site, Site];
    await formDomain(DOMAIN, [node0, node1, node2]);
    await node0.create(modelDocument('of-the-operator'));
    await node1.create(modelDocument('shop'));
    await node2.create(modelDocument('web', { description: 'what node2 serves' }));
    await node2.create(modelDocument('hidden'));
    ops = await addUser(node0, 'ops');
    expect((await ops.create(modelDocument('own'))).status).toBe(403);
    await grant(node0, ops, ['CREATE'], MODELS);
    expect((await ops.create(modelDocument('own'))).status).toBe(201);
  });

  /** A page, as people list: what absent nodes answered before is in it only if that is asked for. */
  async function all(query: Record<string, string> = {}): Promise<Listed> {
    return ops.list('model', { all: true, query: { limit: '500', ...PATIENT, ...query } });
  }

  async function shows(rows: readonly string[], query: Record<string, string> = {}): Promise<void> {
    await waitFor(async () => (await all(query)).rows.join() === rows.join(), { what: `ops to see ${rows.join(', ')}` });
  }

  it('are those that the user made, before anything is granted', async () => {
    const { rows, completeness } = await all();
    expect(rows).toEqual(['node0/own']);
    expect(completeness.map(({ node }) => node)).toEqual(expect.arrayContaining(['node1', 'node2']));
    expect(completeness.every(({ state }) => state === 'answered' || state === 'denied')).toBe(true);
    expect(await ops.statusOf('model', 'web', 'node2')).toBe(404);
  });

  it('are all that there are for nobody: the operator is the operator of its own node only', async () => {
    const answer = await node0.api(node0.path('model', undefined, { all: true }));
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      items: [{ metadata: { name: 'of-the-operator' } }, { metadata: { name: 'own' } }],
      metadata: { completeness: expect.arrayContaining([expect.objectContaining({ node: 'node2', state: 'unasked' })]) },
    });
  });

  it('are not complete for the operator, and nothing is known of those of another node', async () => {
    const all = await node0.cli('get', 'models', '-A', '--require-complete');
    expect(all).toMatchObject({ code: 3, stderr: expect.stringContaining('node1, node2 were not asked') });
    for (const command of ['get', 'watch']) {
      const one = await node0.cli(command, 'models', '-n', 'node2');
      expect(one).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('node2 was not asked') });
    }
  });

  it('include that of another node as soon as it is granted', async () => {
    onNode2 = await grant(node2, ops, ['READ'], { ...MODELS, name: 'web' });
    await shows(['node0/own', 'node2/web']);
    expect((await all()).items[1]).toMatchObject({ apiVersion: 'dtkd.dev/v1', spec: { description: 'what node2 serves' } });
    expect(await ops.statusOf('model', 'web', 'node2')).toBe(200);
    expect(await ops.statusOf('model', 'hidden', 'node2')).toBe(404);
    const { stdout, code } = await ops.cli('get', 'models', '-A', '-o', 'name');
    expect({ code, lines: stdout.trim().split('\n').sort() }).toEqual({ code: 0, lines: ['model.dtkd.dev/own', 'model.dtkd.dev/web'] });
    expect((await ops.cli('describe', 'model', 'web', '-n', 'node2')).stdout).toContain('what node2 serves');
  });

  it('do not include it any more as soon as it is revoked', async () => {
    await revoke(node2, onNode2);
    await shows(['node0/own']);
    expect(await ops.statusOf('model', 'web', 'node2')).toBe(404);
    expect((await all({ stale: 'true' })).rows).toEqual(['node0/own']);
  });

  it('show by name alone where DISCOVER is all that is granted', async () => {
    const capability = await grant(node2, ops, ['DISCOVER'], MODELS);
    await shows(['node0/own', 'node2/hidden', 'node2/web']);
    const found = (await all()).items.find(({ metadata }) => metadata.name === 'web');
    expect(found?.['spec']).toBeUndefined();
    expect(found?.metadata.labels).toBeUndefined();
    await revoke(node2, capability);
    await shows(['node0/own']);
  });

  it('come in pages that hold each row once, in the order of nodes', async () => {
    onNode1 = await grant(node1, ops, ['READ'], MODELS);
    onNode2 = await grant(node2, ops, ['READ'], MODELS);
    await shows(['node0/own', 'node1/shop', 'node2/hidden', 'node2/web']);
    const rows: string[] = [];
    const versions = new Set<string>();
    let next: string | undefined = '';
    while (next !== undefined) {
      const page = await all({ limit: '1', ...(next === '' ? {} : { continue: next }) });
      rows.push(...page.rows);
      versions.add(page.resourceVersion);
      next = page.continue;
    }
    expect(rows).toEqual(['node0/own', 'node1/shop', 'node2/hidden', 'node2/web']);
    expect(versions.size).toBe(1);
  });

  it('come without those of a node that was killed, and say so', async () => {
    await node1.kill9();
    const { rows, stateOf } = await all();
    expect(rows).toEqual(['node0/own', 'node2/hidden', 'node2/web']);
    expect(stateOf('node1')).toBe('unreachable');
    expect(stateOf('node2')).toBe('answered');
    const listed = await ops.cli('get', 'models', '-A', '--require-complete');
    expect(listed.code).toBe(3);
    expect(listed.stderr).toMatch(/node1 did not answer/);
    const watch = new Child({ command: NODE, args: [DTKD, '--data', node0.dir, '--token', ops.token, 'watch', 'models', '-n', 'node1'] });
    await watch.output(/^ADDED +shop .* \d+\w$/m);
    expect(watch.stderr).toMatch(/^node1 did not answer.*\nWaiting for node1: /);
    await watch.end('SIGINT');
    // A client that asks for everything at once keeps what it gets: an absent node must not look like an empty one.
    const everything = await ops.list('model', { all: true });
    expect(everything.stateOf('node1')).toBe('stale');
    expect(everything.items.find(({ metadata }) => metadata.namespace === 'node1')?.metadata.annotations).toHaveProperty([
      STALE_ANNOTATION,
    ]);
    expect(await ops.statusOf('model', 'shop', 'node1')).toBe(503);
  });

  it('come with what that node answered last, marked, where that is asked for', async () => {
    const { items, stateOf } = await all({ stale: 'true' });
    const stale = items.filter(({ metadata }) => metadata.annotations?.[STALE_ANNOTATION] !== undefined);
    expect(stale.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual(['node1/shop']);
    expect(Date.parse(String(stale[0]?.metadata.annotations?.[STALE_ANNOTATION]))).toBeLessThanOrEqual(Date.now());
    expect(stateOf('node1')).toBe('stale');
    const { stdout, stderr } = await ops.cli('get', 'models', '-A', '--stale');
    expect(stdout).toMatch(/shop/);
    expect(stderr).toMatch(/node1 did not answer in full; rows are from .* or before/);
  });

  it('are whole again when it is back', async () => {
    await node1.start();
    await connected(node0, DOMAIN, [node1, node2]);
    await waitFor(async () => (await all()).stateOf('node1') === 'answered', { what: 'node1 to answer again' });
    expect((await all()).rows).toContain('node1/shop');
  });

  it('wait for a node that hangs no longer than is allowed', async () => {
    node1.freeze();
    try {
      const started = performance.now();
      const { rows, completeness } = await ops.list('model', { all: true, query: { limit: '500' } });
      expect(performance.now() - started).toBeLessThan(PEER_TIMEOUT_MS + BUSY_MACHINE_MS);
      expect(rows).toEqual(['node0/own', 'node2/hidden', 'node2/web']);
      expect(completeness).toContainEqual(expect.objectContaining({ node: 'node1', state: 'unreachable', reason: expect.any(String) }));
      expect((await all({ stale: 'true', peerTimeoutMs: '200' })).rows).toContain('node1/shop');
    } finally {
      node1.thaw();
    }
    await waitFor(async () => (await all()).stateOf('node1') === 'answered', { what: 'node1 to answer after it hung' });
  });

  describe('and watched', () => {
    let informer: Informer;
    let command: Child;

    it('begin with what there is', async () => {
      command = new Child({ command: NODE, args: [DTKD, '--data', node0.dir, '--token', ops.token, 'watch', 'models', '-A'] });
      await command.output(/^ADDED +node2 +web\b/m);
      informer = await Informer.open(ops, 'model', { all: true });
      await informer.until('all of it', () => informer.cache.size === 4);
    });

    it('change when they change, on whatever node', async () => {
      await node2.create(modelDocument('new'));
      await informer.until('a new one', () => informer.cache.has('node2/new'));
      await command.output(/^ADDED +node2 +new\b/m);
      await node2.delete('model', 'new');
      await command.output(/^DELETED +node2 +new\b/m);
      await informer.until('that it is gone', () => !informer.cache.has('node2/new'));
    });

    it('stay while their node is away, and the difference comes when it is back', async () => {
      await node1.create(modelDocument('going'));
      await informer.until('going', () => informer.cache.has('node1/going'));
      const before = informer.events.length;
      await node1.kill9();
      await waitFor(async () => (await all()).stateOf('node1') === 'unreachable', { what: 'node1 to be away' });
      await node2.create(modelDocument('meanwhile'));
      await informer.until('what other nodes do meanwhile', () => informer.cache.has('node2/meanwhile'));
      expect(informer.events.slice(before).filter((event) => event.startsWith('DELETED'))).toEqual([]);
      await node1.start();
      await node1.delete('model', 'going');
      await node1.create(modelDocument('coming'));
      await informer.until('the difference', () => informer.cache.has('node1/coming') && !informer.cache.has('node1/going'));
      expect(informer.cache.has('node1/shop')).toBe(true);
      expect(informer.events.slice(before)).not.toContain('DELETED node1/shop');
    });

    it('go when the right to see them goes', async () => {
      await revoke(node2, onNode2);
      await informer.until('nothing of node2', () => ![...informer.cache.keys()].some((key) => key.startsWith('node2/')));
      expect(informer.events).toContain('DELETED node2/web');
      await revoke(node1, onNode1);
      await informer.until('nothing but its own', () => [...informer.cache.keys()].join() === 'node0/own');
      await command.output(/^DELETED +node1 +shop\b/m);
      await command.end('SIGINT');
      informer.close();
    });
  });
});
