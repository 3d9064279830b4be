import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Logger } from '../../daemon/src/logging/logger.types.ts';
import { silentLogger } from '../silent-logger.ts';
import { waitFor } from '../wait.ts';
import { collect } from './host/hosts.ts';
import { ECHO, LOCAL, Sites, settled } from './sites.ts';

let sites: Sites;
beforeEach(() => {
  sites = new Sites();
});
afterEach(() => sites.stop());

describe('a domain', () => {
  it('is founded, joined, shares objects and carries streams', async () => {
    const [a, b] = await sites.domain('a', 'b');
    if (a === undefined || b === undefined) throw new Error();
    await b.expose('web');
    await waitFor(async () => (await a.apps()).includes('b/web'), { what: 'the app to show at a' });
    const stream = await a.mesh.openStream(a.view().id, a.peer('b').key, ECHO);
    stream.end('ping');
    expect((await collect(stream)).toString()).toBe('ping');
    expect(a.peer('b')).toMatchObject({ connected: true, path: 'direct', address: `${LOCAL}:${b.view().port}` });
    expect(a.mesh.directAddresses(a.view().id, a.peer('b').key)).toEqual([{ host: LOCAL, port: b.view().port }]);
  });

  it('says in the log when a member comes and when it goes, once each', async () => {
    const said: string[] = [];
    const logger: Logger = { ...silentLogger, info: (_, text) => void said.push(text), child: () => logger };
    const watching = await sites.start('a', { logger });
    await watching.mesh.create('d');
    const other = await sites.start('b');
    await other.mesh.join('d', watching.address(), await watching.token());
    await settled([watching, other]);
    await other.stop();
    await waitFor(() => !watching.peer('b').connected, { what: 'the member to be gone' });
    expect(said.filter((text) => text.startsWith('A member is'))).toEqual(['A member is connected', 'A member is no longer connected']);
  });

  it('tells every listener of its changes, whatever one of them does', async () => {
    const [a] = await sites.domain('a');
    if (a === undefined) throw new Error();
    let told = 0;
    a.mesh.onChange(() => {
      throw new Error('broken');
    });
    a.mesh.onChange(() => {
      told += 1;
    });
    await a.mesh.invite('d');
    await waitFor(() => told > 0, { what: 'the second listener to be told' });
  });
});
