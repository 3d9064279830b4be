/** Members whose versions do not fit each other: each says so, and does not take the other for one that is away. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createHost } from '../../daemon/src/mesh/host/libp2p-host.ts';
import { KeyStore } from '../../daemon/src/mesh/membership/key-store.ts';
import { silentLogger } from '../silent-logger.ts';
import { waitFor } from '../wait.ts';
import { Hosts } from './host/hosts.ts';
import { LOCAL, Sites } from './sites.ts';

let sites: Sites;
let hosts: Hosts;
beforeEach(() => {
  sites = new Sites();
  hosts = new Hosts();
});
afterEach(async () => {
  await sites.stop();
  await hosts.stop();
});

describe('another version', () => {
  it('is told of a member that does not serve a protocol', async () => {
    const [a] = await sites.domain('a', 'b');
    if (a === undefined) throw new Error();
    const { id } = a.view();
    await expect(a.mesh.openStream(id, a.peer('b').key, '/dtkd/later/2.0.0')).rejects.toMatchObject({
      code: 'VERSION_TOO_OLD',
      message: expect.stringContaining('/dtkd/later/2.0.0'),
      next: expect.stringContaining('upgrade the older'),
    });
    expect(a.peer('b')).toMatchObject({ connected: true, conditions: [] });
  });

  it('is not told of a member that has not started all of itself', async () => {
    const later = '/test/later/1.0.0';
    const a = await sites.start('a');
    await a.mesh.create('d');
    const b = await sites.start('b', { later: [later] });
    await b.mesh.join('d', a.address(), await a.token());
    await waitFor(() => a.peer('b').connected, { what: 'b to be connected' });
    const { id } = a.view();
    await expect(a.mesh.openStream(id, a.peer('b').key, later)).rejects.not.toMatchObject({ code: 'VERSION_TOO_OLD' });
    b.mesh.handle(later, (stream) => void stream.pipe(stream));
    const stream = await a.mesh.openStream(id, a.peer('b').key, later);
    stream.destroy();
    expect(() => b.mesh.handle('/test/unsaid/1.0.0', () => undefined)).toThrow('/test/unsaid/1.0.0');
  });

  it('is told of a member that answers and knows no hello that both know', async () => {
    const [a, b] = await sites.domain('a', 'b');
    if (a === undefined || b === undefined) throw new Error();
    const { id, port } = b.view();
    await b.stop();
    const [kept] = await new KeyStore(b.disk).list();
    if (kept === undefined || port === undefined) throw new Error();
    const later = await createHost({
      domain: id,
      key: kept.self,
      logger: silentLogger,
      isMember: () => true,
      onTls: (socket) => void socket.destroy(),
      validate: async () => 'accept',
    });
    await later.listen([LOCAL], port);
    const condition = expect.stringMatching(/another version of dtkd.*upgrade the older/);
    await waitFor(() => a.peer('b').conditions.length > 0, { what: 'a to find out why b is away' });
    expect(a.peer('b')).toMatchObject({ connected: false, misfit: true, conditions: [condition] });
    await expect(a.mesh.openStream(id, a.peer('b').key, '/test/echo/1.0.0')).rejects.toMatchObject({ code: 'VERSION_TOO_OLD' });
    await later.stop();
    await sites.restart(b, { meshPort: port });
    await waitFor(() => a.peer('b').connected, { what: 'b to be connected again' });
    expect(a.peer('b')).toMatchObject({ misfit: false, conditions: [] });
  });

  it('is told to whoever joins through it', async () => {
    const a = await sites.start('a');
    await a.mesh.create('d');
    const token = await a.token();
    await a.stop();
    const { port } = await hosts.create();
    const joiner = await sites.start('j');
    await expect(joiner.mesh.join('d', `${LOCAL}:${port}`, token)).rejects.toMatchObject({
      code: 'VERSION_TOO_OLD',
      next: expect.stringContaining('dtkd version'),
    });
  });
});
