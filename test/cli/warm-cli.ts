/**
 * Runs command lines in processes that stay, one at a time in each: loading the program takes many times as long as most commands. What is about the
 * process itself (signals, pipes that are closed, the launcher) is tested with real ones, as is everything with a daemon in test/multinode.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { NODE } from '../harness/node-binary.ts';

const MAIN = fileURLToPath(new URL('warm-cli-main.ts', import.meta.url));

export interface ToRun {
  args: readonly string[];
  /** All variables that it has. */
  env: NodeJS.ProcessEnv;
  stdin?: string;
  cwd?: string;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

const idle: ChildProcess[] = [];

/** Runs one command line to its end. */
export async function runWarm(asked: ToRun): Promise<Ran> {
  const child = idle.pop() ?? start();
  const over = new AbortController();
  try {
    const ended = once(child, 'exit', over).then(([status]) => {
      throw new Error(`${asked.args.join(' ')} ended its process, with ${status}`);
    });
    const answered = once(child, 'message', over);
    child.send(asked);
    const [ran] = await Promise.race([answered, ended]);
    idle.push(child);
    return ran;
  } finally {
    over.abort();
  }
}

/** It ends with this process, which does not wait for it. */
function start(): ChildProcess {
  const child = spawn(NODE, [MAIN], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.unref();
  child.channel?.unref();
  return child;
}
