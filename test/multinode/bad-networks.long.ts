/** Lines that are slow, lose much or only what is large: what works over them, and what users are told. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { appDocument, appsSeen, connected, found, invite, join, peerNamed } from '../harness/domain.ts';
import { resetMesh } from '../harness/nat.ts';
import { type Network, networkMissing } from '../harness/network.ts';
import { missing } from '../harness/programs.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant } from '../harness/user.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const why = networkMissing() ?? missing(['tc', 'iptables'], { root: true });

describe.skipIf(why !== undefined)(`sites with bad lines${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let network: Network;
  let a: Site;
  let b: Site;

  beforeAll(async () => {
    network = await stage.current.network({ segments: { line: ['a', 'b'] } });
    [a, b] = (await Promise.all(['a', 'b'].map((name) => stage.current.start({ name, inside: network.inside(name), mesh: '7701' })))) as [
      Site,
      Site,
    ];
    await found(a, 'bad');
  });

  it('do not join over a way that loses large packets, and say so', async () => {
    const { token } = await invite(a, 'bad');
    const losing = ['INPUT', '-p', 'tcp', '--dport', '7701', '-m', 'length', '--length', '1281:65535', '-j', 'DROP'];
    await network.run('a', 'iptables', '-A', ...losing);
    const refused = await b.cli('domain', 'join', network.address('a'), token);
    expect(refused.code).toBe(7);
    expect(refused.stderr).toContain('large packets seem to be lost');
    await network.run('a', 'iptables', '-D', ...losing);
  });

  it('share much over a slow line, on one connection', async () => {
    for (let index = 0; index < 18; index += 1) await a.create(large(`app${index}`, 'bad'));
    const slow = ['rate', '256kbit', 'burst', '16kb', 'limit', '256kb'];
    await network.run('a', 'tc', 'qdisc', 'add', 'dev', network.interfaceOf('a', 'line'), 'root', 'tbf', ...slow);
    await join(b, 'bad', a, (await invite(a, 'bad')).token);
    await connected(a, 'bad', [a, b]);
    const since = await connectedSince(a);
    await waitFor(async () => (await appsSeen(b)).length === 18, { what: 'b to show all that a shares' });
    expect(await connectedSince(a)).toBe(since);
  });

  it('meet again when the address of one has changed under its connections', async () => {
    await network.readdress('b', 'line', 77);
    const moved = network.address('b');
    await waitFor(async () => (await peerNamed(a, 'bad', 'b'))?.['address'] === moved, { what: 'a to see b at its new address' });
    await connected(b, 'bad', [a, b]);
  });

  it('run commands to their end while all connections are cut again and again, and say that they are', async () => {
    const ops = await addUser(a, 'ops');
    await grant(b, ops, ['READ', 'EXECUTE'], { kind: 'exec' });
    const [begun, end] = ['begun', 'end'].map((name) => joinPath(stage.current.directory, name)) as [string, string];
    const counting = `touch '${begun}'; i=0; while [ ! -e '${end}' ]; do i=$((i+1)); echo $i; sleep 0.05; done`;
    const run = ops.cli('exec', '-I', 'name=b', '--raw', '--', 'sh', '-c', counting);
    await waitFor(() => existsSync(begun), { what: 'the command to begin' });
    for (let cuts = 0; cuts < 6; cuts += 1) {
      await resetMesh(network, 'a', true);
      await waitFor(async () => (await peerNamed(a, 'bad', 'b'))?.['connected'] === false, { what: 'the connection to be cut' });
      await resetMesh(network, 'a', false);
      await connected(a, 'bad', [a, b]);
    }
    await writeFile(end, '');
    const { code, stdout } = await run;
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toEqual(lines.map((_, index) => String(index + 1)));
    const doctor = await a.cli('doctor');
    expect(doctor.stdout).toContain('connections were lost again and again with b');
    expect(doctor.stdout).not.toContain('did not answer');
  });
});

function large(name: string, domain: string): Record<string, unknown> {
  return { ...appDocument(name, [domain]), metadata: { name, annotations: { padding: 'x'.repeat(15_000) } } };
}

/** When the only other member was connected. */
async function connectedSince(site: Site): Promise<unknown> {
  return (await site.list('dtpeers')).find((peer) => peer['path'] === 'direct')?.['since'];
}
