import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../../test/harness/child.ts';
import { NODE } from '../../test/harness/node-binary.ts';
import type { Site } from '../../test/harness/site.ts';
import type { Stage } from '../../test/harness/stage.ts';
import type { Recorded } from './recorded.ts';

const PROGRAMS = {
  static: fileURLToPath(new URL('./static-https.ts', import.meta.url)),
  hono: fileURLToPath(new URL('./bare-hono.ts', import.meta.url)),
};

/** A process of its own that says again what was recorded. */
export interface Replay {
  url: string;
  /** What it was asked beyond that, if anything. */
  unknown(): string | undefined;
  close(): Promise<void>;
}

/** Starts it with the certificate of the site. */
export async function startReplay(stage: Stage, site: Site, kind: keyof typeof PROGRAMS, answers: Recorded[]): Promise<Replay> {
  const file = join(stage.directory, `recorded-${kind}.json`);
  await writeFile(file, JSON.stringify(answers), { mode: 0o600 });
  const child = new Child({ command: NODE, args: [PROGRAMS[kind], file, join(site.dir, 'tls.crt'), join(site.dir, 'tls.key')] });
  const port = (await child.output(/port (\d+)/))[1];
  return {
    url: `https://127.0.0.1:${port}`,
    unknown: () => /unknown .*/.exec(child.stdout)?.[0],
    close: async () => {
      await child.end('SIGTERM');
    },
  };
}
