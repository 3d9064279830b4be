/** `dtkd doctor` over real daemons: all is well, a member is gone, a daemon is gone, and a machine on which none can start. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkup, type Finding } from '../../protocol/requests/checkup.ts';
import { expose, formDomain } from '../harness/domain.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser } from '../harness/user.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const DOMAIN = 'mydomain';
const PROBLEMS = 26;

interface Examined {
  code: number;
  findings: Map<string, Finding>;
}

async function examine(site: Site, ...args: string[]): Promise<Examined> {
  const { code, stdout, stderr } = await site.cli('doctor', '-o', 'json', ...args);
  expect(stderr).toBe('');
  const { findings } = checkup.pick({ findings: true }).parse(JSON.parse(stdout));
  return { code, findings: new Map(findings.map((finding) => [finding.check, finding])) };
}

describe('dtkd doctor', () => {
  let node0: Site;
  let node1: Site;
  let taken: Server | undefined;

  beforeAll(async () => {
    [node0, node1] = (await stage.current.startAll('node0', 'node1')) as [Site, Site];
    await formDomain(DOMAIN, [node0, node1]);
  });
  afterAll(() => taken?.close());

  it('finds a member that can be reached both ways, whose clock and version fit', async () => {
    const origin = await stage.current.origin();
    await expose(node0, 'wiki', origin, DOMAIN);
    const { findings } = await waitFor(
      async () => {
        const examined = await examine(node0);
        const { findings } = examined;
        // on a busy machine a member may not reach this one in time at first
        const good = findings.has(`version ${DOMAIN}`) && findings.has('apps') && findings.get(`clock ${DOMAIN}`)?.state === 'ok';
        return good && examined.code === 0 ? examined : undefined;
      },
      { what: 'a report in which nothing is wrong' },
    );
    expect(findings.get(`reach ${DOMAIN}`)).toMatchObject({ state: 'ok', finding: `node1 reached this node at ${node0.meshAddress}` });
    expect(findings.get(`peers ${DOMAIN}`)?.finding).toBe('1 of 1 are connected, and none is away');
    expect(findings.get('daemon')?.finding).toBe(`runs as process ${node0.child.pid}`);
    for (const check of ['secrets', 'ready', 'certificates', 'version', 'apps']) expect(findings.get(check)?.state, check).toBe('ok');
    await origin.child.end('SIGKILL');
    expect((await examine(node0)).findings.get('app wiki')).toMatchObject({ state: 'problem', finding: 'none of its endpoints answers' });
  });

  it('is for the operator, and shows no secret', async () => {
    const guest = await addUser(node0, 'guest');
    expect((await guest.api('/apis/dtkd.dev/v1/daemon/checkup')).status).toBe(403);
    expect((await node0.api('/apis/dtkd.dev/v1/daemon/checkup', { method: 'POST', body: {} })).status).toBe(405);
    const { stdout, code } = await node0.cli('doctor', '-o', 'wide', '--token', guest.token);
    expect(stdout).toMatch(/^warning +daemon +it could not be asked for its own checks: .*operator/m);
    expect(stdout).not.toContain(guest.token);
    expect(stdout).not.toContain(node0.token);
    expect(code).toBe(0);
  });

  it('finds what the settings and files of a daemon lack', async () => {
    await chmod(join(node0.dir, 'ca.key'), 0o644);
    await writeFile(join(node0.dir, 'config.yaml'), 'apj: 7700\n');
    const { code, stdout } = await node0.cli('doctor', '--only', 'problem');
    expect(code).toBe(PROBLEMS);
    expect(stdout).toMatch(/^✗ file ca\.key +others than its owner may read it \(mode 0644\)$/m);
    expect(stdout).toMatch(/^✗ settings .*config\.yaml: apj: /m);
    expect(stdout).not.toMatch(/^[✓!]/m);
    await chmod(join(node0.dir, 'ca.key'), 0o600);
    await rm(join(node0.dir, 'config.yaml'));
  });

  it('finds a daemon that was killed, and says so at the others', async () => {
    await node1.kill9();
    const { code, stdout } = await node1.cli('doctor');
    expect(code).toBe(PROBLEMS);
    expect(stdout).toMatch(
      /^✗ daemon +the daemon ended unexpectedly: .*endpoint\.json names process \d+, which is gone\n {2}→ See its log/m,
    );
    const away = await waitFor(async () => (await examine(node0)).findings.get(`peer ${DOMAIN}/node1`), { what: 'node1 to be missed' });
    expect(away.finding).toMatch(/^node1 is away for \d+s: \S/);
    expect(away.next).toContain(node1.meshAddress);
  });

  it('says who has a port before a daemon is started', async () => {
    const server = createServer();
    taken = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const dir = join(stage.current.directory, 'fresh');
    await mkdir(dir, { mode: 0o700 });
    await writeFile(join(dir, 'config.yaml'), `api: 127.0.0.1:${port}\nmesh: 0\ningress: 127.0.0.1:0\n`);
    const { code, findings } = await examine(stage.current.site({ name: 'fresh', dir }));
    expect(code).toBe(PROBLEMS);
    expect(findings.get('daemon')?.finding).toBe('no daemon runs on this data directory');
    expect(findings.get(`port ${port}`)?.finding).toMatch(
      new RegExp(`^port ${port} \\(api\\) is taken by .+ \\(process ${process.pid}\\)$`),
    );
  });
});
