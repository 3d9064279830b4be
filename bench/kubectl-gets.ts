import { join } from 'node:path';
import { kubectlOf, type Ran } from '../test/harness/kubectl.ts';
import type { Site } from '../test/harness/site.ts';
import type { Stage } from '../test/harness/stage.ts';
import type { Context, Figure } from './benchmark.types.ts';
import { startRecorder } from './peers/recorder.ts';
import { startReplay } from './peers/replay.ts';
import { sideBySide } from './side-by-side.ts';
import { timed } from './timed.ts';

const LIMIT = 1.5;

/** What kubectl does, and whether it has to find out what the API is before. */
const COMMANDS: { what: string; args: readonly string[]; fresh?: true }[] = [
  { what: 'as a table', args: [] },
  { what: '-o json', args: ['-o', 'json'] },
  { what: 'as a table, with discovery', args: [], fresh: true },
];

/** `kubectl get` of all resources: from a daemon, and from a server that only says the same bytes. */
export async function measureGets(stage: Stage, site: Site, objects: number, { quick, say }: Context): Promise<Figure[]> {
  const kubectl = await kubectlOf(site);
  let caches = 0;
  const get = (url: string, { args, fresh }: (typeof COMMANDS)[number]): Promise<Ran> => {
    caches += 1;
    const cache = join(stage.directory, fresh === true ? `kube-cache-${caches}` : 'kube-cache');
    return kubectl.run('--server', url, '--cache-dir', cache, 'get', 'resources', ...args);
  };
  const recorder = await startRecorder(site);
  const said: string[] = [];
  for (const command of COMMANDS) said.push((await get(recorder.url, command)).stdout);
  await recorder.close();
  const replay = await startReplay(stage, site, 'static', recorder.recorded());
  try {
    const figures = await sideBySide({
      pairs: COMMANDS.map((command) => ({
        metric: `kubectl get of ${objects.toLocaleString('en')} resources, ${command.what}`,
        dtkd: () => timed(() => get(site.apiUrl, command)),
        peer: () => timed(() => get(replay.url, command)),
      })),
      rounds: quick ? 5 : 25,
      unit: 'ms',
      peerName: 'static server, same bytes',
      limit: { text: `at most ${LIMIT} x the static server`, isMet: (ratio) => ratio <= LIMIT },
      say: (text) => say(`kubectl, ${text}`),
    });
    for (const [index, command] of COMMANDS.entries()) {
      const { stdout } = await get(replay.url, command);
      if (ageless(stdout) !== ageless(said[index] ?? '')) throw new Error(`the static server does not say the same (${command.what})`);
    }
    const unknown = replay.unknown();
    if (unknown !== undefined) throw new Error(`kubectl asked for what had not been recorded: ${unknown}`);
    return figures;
  } finally {
    await replay.close();
  }
}

/** Without the last column of a table, which is the age. */
function ageless(text: string): string {
  return text.replace(/ +\S+$/gm, '');
}
