import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { policyKind } from '../../../protocol/kinds/policy.ts';
import { FakeDaemon } from '../fake-daemon.ts';

const KEY = 'b'.repeat(64);
const DIGEST = '1'.repeat(64);
const CAN = /\/daemon\/can(\?|$)/;

describe('dtkd policy', () => {
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = await FakeDaemon.start();
    daemon.script('GET', CAN, () => ({ allowed: true, because: 'the operator may do everything' }));
  });
  afterEach(() => daemon.stop());

  const written = (): unknown => daemon.asked.findLast(({ method }) => method === 'PUT' || method === 'POST')?.body;
  const given = (spec: object) => daemon.put(policyKind, 'node', { spec });

  it('shows what runs here before anything is said, and after', async () => {
    expect((await daemon.cli('policy', 'show')).stdout).toMatch(
      /Only code of this node itself runs here\.[\s\S]*No code is pinned\.[\s\S]*concurrency +16 +default/,
    );
    given({
      trust: [{ node: 'builder', key: KEY, follow: true }],
      pins: { 'acme/web': { digest: DIGEST, publisher: KEY, node: 'builder', version: '1.2.0' } },
      limits: { users: ['postgres'] },
    });
    const { stdout } = await daemon.cli('policy', 'show');
    expect(stdout).toMatch(/^builder +whatever it publishes +b{64}$/m);
    expect(stdout).toMatch(/^acme\/web +1\.2\.0 +1{16} +builder$/m);
    expect(stdout).toMatch(/^users +postgres *$/m);
  });

  it('does not tell of a policy that may not be read as if there were none, nor makes another one', async () => {
    daemon.script('GET', CAN, () => ({ allowed: false, reason: 'it has no rights on it' }));
    for (const words of [['show'], ['trust', 'builder']]) {
      const { code, stdout, stderr } = await daemon.cli('policy', ...words);
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
      expect(stderr).toMatch(/you may not READ the policy[\s\S]*READ,CREATE,UPDATE/);
    }
    expect(daemon.writes()).toEqual([]);
  });

  it('trusts a node, follows it or not, and ends that with its pins', async () => {
    expect(await daemon.cli('policy', 'trust', 'builder', '--follow')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('builder is trusted, and newer code'),
    });
    expect(written()).toMatchObject({ metadata: { name: 'node' }, spec: { trust: [{ node: 'builder', follow: true }] } });
    given({ trust: [{ node: 'builder', key: KEY, follow: true }], pins: { 'acme/web': { digest: DIGEST, publisher: KEY } } });
    await daemon.cli('policy', 'trust', 'builder');
    expect(written()).toMatchObject({ spec: { trust: [{ node: 'builder', key: KEY, follow: true }] } });
    await daemon.cli('policy', 'trust', 'builder', '--no-follow');
    expect(written()).toMatchObject({ spec: { trust: [{ node: 'builder', key: KEY, follow: false }] } });
    expect((await daemon.cli('policy', 'untrust', 'builder')).stdout).toBe('builder is no longer trusted.\n');
    expect(written()).toMatchObject({ spec: { trust: [], pins: {} } });
    expect(await daemon.cli('policy', 'untrust', 'nobody')).toMatchObject({ code: 5 });
  });

  it('pins code of the node that publishes it', async () => {
    given({ trust: [{ node: 'builder', key: KEY }] });
    expect((await daemon.cli('policy', 'pin', 'type/Service', DIGEST)).stdout).toBe(`type/Service@builder is pinned to ${DIGEST}.\n`);
    expect(written()).toMatchObject({ spec: { pins: { 'type/Service@builder': { digest: DIGEST, publisher: KEY, node: 'builder' } } } });
    expect((await daemon.cli('policy', 'pin', 'acme/web@shop', DIGEST)).stdout).toBe(`acme/web@shop@builder is pinned to ${DIGEST}.\n`);
    expect((await daemon.cli('policy', 'pin', 'acme/web@shop', DIGEST)).stdout).toBe(`acme/web@shop@builder is pinned to ${DIGEST}.\n`);
    expect((await daemon.cli('policy', 'unpin', 'acme/web@shop')).stdout).toBe('acme/web@shop@builder is no longer pinned.\n');
    const ofNode = await daemon.cli('policy', 'pin', 'acme/web@builder', DIGEST);
    expect(ofNode).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('For the module of that node, write: acme/web with --of builder.'),
    });
    const copy = await daemon.cli('policy', 'pin', 'acme/web@builder', DIGEST, '--of', 'builder');
    expect(copy.stdout).toBe(`acme/web@builder@builder is pinned to ${DIGEST}.\n`);
    expect(await daemon.cli('policy', 'pin', 'acme/web', 'short')).toMatchObject({ code: 2 });
    expect(await daemon.cli('policy', 'pin', 'acme/web', DIGEST, '--of', 'nobody')).toMatchObject({ code: 5 });
    given({ pins: { 'type/Service@builder': { digest: DIGEST, publisher: KEY, node: 'builder' } } });
    expect((await daemon.cli('policy', 'unpin', 'type/Service')).stdout).toBe('type/Service@builder is no longer pinned.\n');
    expect(await daemon.cli('policy', 'unpin', 'acme/web')).toMatchObject({ code: 5 });
  });

  it('sets limits, and says what is wrong with one', async () => {
    given({ limits: { timeout: '2h' } });
    expect((await daemon.cli('policy', 'set', 'concurrency=4', 'users=postgres,www-data', 'timeout=')).code).toBe(0);
    expect(written()).toMatchObject({ spec: { limits: { concurrency: 4, users: ['postgres', 'www-data'] } } });
    expect(JSON.stringify(written())).not.toContain('timeout');
    expect(await daemon.cli('policy', 'set', 'speed=9')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is no limit "speed"'),
    });
    expect(await daemon.cli('policy', 'set', 'concurrency=lots')).toMatchObject({ code: 2, stderr: expect.not.stringContaining('NaN') });
  });
});
