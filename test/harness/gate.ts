import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import type { Target } from './http.ts';
import { NODE } from './node-binary.ts';

const MAIN = fileURLToPath(new URL('./gate-main.ts', import.meta.url));

/** Lets the tests, which live outside, talk TCP with what listens inside a network namespace. */
export class Gate {
  readonly #child: Child;
  readonly #directory: string;
  readonly #doors = new Map<string, string>();

  constructor(netns: string, directory: string) {
    this.#directory = directory;
    this.#child = new Child({ command: NODE, args: [MAIN], netns, input: true });
  }

  /** A unix socket that leads to `host:port` as seen from inside. */
  async to(host: string, port: number): Promise<Target> {
    const key = `${host}:${port}`;
    const path = this.#doors.get(key) ?? join(this.#directory, `door-${this.#doors.size}`);
    if (!this.#doors.has(key)) {
      this.#doors.set(key, path);
      this.#child.process.stdin?.write(`${JSON.stringify({ path, host, port })}\n`);
    }
    await this.#child.until(() => this.#child.stdout.includes(`open ${path}\n`), { what: `the gate to open ${key}` });
    return { socketPath: path };
  }

  async close(): Promise<void> {
    await this.#child.end('SIGKILL');
  }
}
