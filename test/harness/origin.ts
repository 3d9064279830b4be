import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Child } from './child.ts';
import { NODE } from './node-binary.ts';

const MAIN = fileURLToPath(new URL('./origin-main.ts', import.meta.url));
const ports = z.object({ port: z.number(), tcpPort: z.number() });

/** A running origin: where its HTTP and its TCP echo listen. */
export interface Origin {
  host: string;
  port: number;
  tcpPort: number;
  child: Child;
}

/** Starts the HTTP service of origin-main.ts as a process of its own. */
export async function startOrigin(options: { name?: string; host?: string; port?: number; netns?: string } = {}): Promise<Origin> {
  const host = options.host ?? '127.0.0.1';
  const child = new Child({
    command: NODE,
    args: [MAIN, host, options.name ?? 'origin', String(options.port ?? 0)],
    ...(options.netns === undefined ? {} : { netns: options.netns }),
  });
  const [line] = await child.output(/^\{.*\}$/m);
  return { host, child, ...ports.parse(JSON.parse(line)) };
}
