/**
 * The command line in a process that stays: what it is asked to run it runs as `cli/main.ts` would, one command line after the other, each with its
 * own variables and standard streams. A run is over when nothing is left that would have kept a process of its own.
 */
import { Readable, Writable } from 'node:stream';
import { runCli } from '../../cli/program.ts';
import type { Ran, ToRun } from './warm-cli.ts';

const OWN_CWD = process.cwd();

process.on('message', (asked) => void answer(asked as ToRun).then((ran) => process.send?.(ran)));
process.on('disconnect', () => process.exit());

async function answer({ args, env, stdin = '', cwd = OWN_CWD }: ToRun): Promise<Ran> {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.chdir(cwd);
  const stdout = new Collected();
  const stderr = new Collected();
  put('stdin', Readable.from(stdin === '' ? [] : [Buffer.from(stdin)], { objectMode: false }));
  put('stdout', stdout);
  put('stderr', stderr);
  const before = process.getActiveResourcesInfo().length;
  const code = await runCli(args);
  // nothing tells when the last of them has gone
  while (process.getActiveResourcesInfo().length > before) await new Promise((resolve) => setTimeout(resolve, 1));
  return { code, stdout: stdout.text, stderr: stderr.text };
}

function put(name: 'stdin' | 'stdout' | 'stderr', stream: Readable | Writable): void {
  Object.defineProperty(process, name, { value: stream, configurable: true });
}

class Collected extends Writable {
  readonly #parts: Buffer[] = [];

  get text(): string {
    return Buffer.concat(this.#parts).toString();
  }

  override _write(part: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#parts.push(part);
    done();
  }
}
