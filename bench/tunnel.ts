import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Child, run } from '../test/harness/child.ts';
import { expose, formDomain, uriOf } from '../test/harness/domain.ts';
import { DTKD, NODE } from '../test/harness/node-binary.ts';
import { missing } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { sshForward } from './peers/ssh.ts';
import { spread } from './stats.ts';

const SOURCE = fileURLToPath(new URL('./peers/tcp-source.ts', import.meta.url));
const SINK = fileURLToPath(new URL('./peers/tcp-sink.ts', import.meta.url));
const MIB = 1024 * 1024;
const measured = z.object({ bytes: z.number(), seconds: z.number() });

/** MiB a second from source to a sink that connects to `port`. */
async function download(port: number, bytes: number): Promise<number> {
  const sink = await run({ command: NODE, args: [SINK, String(port)] });
  const result = measured.parse(JSON.parse(sink.stdout));
  if (result.bytes !== bytes) throw new Error(`${result.bytes} of ${bytes} bytes arrived`);
  return bytes / MIB / result.seconds;
}

/** Bulk bytes through `dtkd app forward` between two daemons, against `ssh -L` between the same source and sink. */
export const benchmark: Benchmark = {
  name: 'tunnel',
  title: 'Bulk download through `dtkd app forward`, against `ssh -L`',
  needs: ['ssh', 'sshd', 'ssh-keygen'],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const bytes = (quick ? 64 : 1024) * MIB;
    const rounds = quick ? 2 : 5;
    const stage = await Stage.open();
    const source = new Child({ command: NODE, args: [SOURCE, String(bytes)] });
    let ssh: Awaited<ReturnType<typeof sshForward>> | undefined;
    let forward: Child | undefined;
    try {
      const sourcePort = Number((await source.output(/port (\d+)/))[1]);
      const sites = (await stage.startAll('owner', 'user')) as [Site, Site];
      const [owner, user] = sites;
      await formDomain('bench', sites);
      await expose(owner, 'bulk', { host: '127.0.0.1', port: sourcePort }, 'bench');
      await uriOf(user, 'bulk', owner);
      forward = new Child({ command: NODE, args: [DTKD, '--data', user.dir, 'app', 'forward', 'bulk'] });
      const forwardPort = Number((await forward.output(/127\.0\.0\.1:(\d+)/))[1]);
      if (missing(this.needs) === undefined) ssh = await sshForward(stage.directory, sourcePort);
      say('warming up');
      await download(forwardPort, bytes);
      if (ssh !== undefined) await download(ssh.port, bytes);
      const ours: number[] = [];
      const theirs: number[] = [];
      const direct: number[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        say(`round ${round} of ${rounds}`);
        ours.push(await download(forwardPort, bytes));
        if (ssh !== undefined) theirs.push(await download(ssh.port, bytes));
        direct.push(await download(sourcePort, bytes));
      }
      const dtkd = spread(ours);
      const beside = [{ name: 'direct', value: spread(direct) }];
      const notes = [`${bytes / MIB} MiB a run, interleaved; owner and user on one machine, so every process shares its cores`];
      if (ssh === undefined) return [{ metric: 'bulk download', unit: 'MiB/s', dtkd, beside, notes }];
      const peer = spread(theirs);
      const ratio = dtkd.median / peer.median;
      return [
        {
          metric: 'bulk download',
          unit: 'MiB/s',
          dtkd,
          peer: { name: 'ssh -L', value: peer },
          beside,
          ratio,
          limit: { text: 'at least 1.0 x ssh -L', met: ratio >= 1 },
          notes,
        },
      ];
    } finally {
      await ssh?.close().catch(() => undefined);
      await forward?.end('SIGKILL');
      await source.end('SIGKILL');
      await stage.close();
    }
  },
};
