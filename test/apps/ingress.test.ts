import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exchange, message, type Site, Stage } from './site.ts';

describe.each([{ lanes: false }, { lanes: true }])('an app at another node, %o', ({ lanes }) => {
  let stage: Stage;
  let owner: Site;
  let caller: Site;

  beforeEach(async () => {
    stage = new Stage();
    owner = await stage.site('node0', ['d'], { lanes });
    caller = await stage.site('node1', ['d'], { lanes });
  });
  afterEach(() => stage.close());

  it('answers through its copy', async () => {
    const origin = await stage.origin((request, response) => response.end(`hello ${request.method} ${request.url}`));
    const hosts = await stage.expose(owner, { ports: [origin] });
    const { text } = await exchange(caller.port, message('GET /a?b HTTP/1.1', `Host: ${hosts['node1']}`, 'Connection: close'));
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toContain('hello GET /a?b');
    expect(caller.apps.counters()).toMatchObject(lanes ? { lanesOpened: 1, tunnelStreams: 0 } : { lanesOpened: 0, tunnelStreams: 1 });
  });
});
