import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dtPeerKind } from '../../../protocol/kinds/dtpeer.ts';
import { nodeKind } from '../../../protocol/kinds/node.ts';
import { FakeDaemon } from '../fake-daemon.ts';

describe('dtkd node', () => {
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = await FakeDaemon.start();
    daemon.script('GET', /\/daemon\/whoami$/, () => ({ type: 'operator', node: 'node0' }));
    daemon.put(nodeKind, 'node0', { spec: { tags: ['web'], properties: { rack: 'b12' } }, status: { facts: { osName: 'Linux' } } });
  });
  afterEach(() => daemon.stop());

  const written = (): unknown => daemon.asked.find(({ method }) => method === 'PATCH')?.body;

  it('puts this node into maintenance, and ends it', async () => {
    expect(await daemon.cli('node', 'maintain', 'on', '--reason', 'new disks')).toMatchObject({
      code: 0,
      stdout: 'node0 is in maintenance: commands of others skip it.\n',
    });
    expect(written()).toMatchObject({ spec: { maintenance: { reason: 'new disks', since: expect.stringMatching(/Z$/) } } });
    daemon.asked.length = 0;
    expect((await daemon.cli('node', 'maintain', 'off')).stdout).toBe('node0 is no longer in maintenance.\n');
    expect(written()).toMatchObject({ spec: { maintenance: null } });
    expect((await daemon.cli('node', 'maintain', 'off', '--reason', 'x')).code).toBe(2);
  });

  it('adds and takes tags, each once', async () => {
    await daemon.cli('node', 'tag', 'add', 'web', 'prod');
    expect(written()).toMatchObject({ spec: { tags: ['web', 'prod'] } });
    daemon.asked.length = 0;
    await daemon.cli('node', 'tag', 'add', 'eu,us');
    expect(written()).toMatchObject({ spec: { tags: expect.arrayContaining(['eu', 'us']) } });
    daemon.asked.length = 0;
    expect(await daemon.cli('node', 'tag', 'rm', 'absent')).toMatchObject({ code: 5 });
    expect(written()).toBeUndefined();
  });

  it('sets properties, and takes them away', async () => {
    expect((await daemon.cli('node', 'set', 'room=2', 'rack=')).code).toBe(0);
    expect(written()).toMatchObject({ spec: { properties: { room: '2', rack: null } } });
  });

  it('lists nodes with what filters choose them by', async () => {
    daemon.put(nodeKind, 'node1', { spec: { maintenance: { reason: 'new disks' } }, status: {} });
    daemon.put(dtPeerKind, 'p1', { name: 'node1.dtkd.localhost', reach: 'away', path: '' });
    daemon.put(dtPeerKind, 'p0', { name: 'node0.dtkd.localhost', path: 'self' });
    const { stdout } = await daemon.cli('node', 'ls');
    expect(stdout).toMatch(/^node0 +here +Linux +web +rack=b12$/m);
    expect(stdout).toMatch(/^node1 +away +new disks$/m);
  });
});
