import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../wait.ts';
import { collect } from './host/hosts.ts';
import { ECHO, LOCAL, Sites } from './sites.ts';

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
