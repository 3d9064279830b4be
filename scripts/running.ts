/** What scripts ask of other programs. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Programs here write pages, not streams. */
const MAX_OUTPUT = 16 * 1024 * 1024;

/** What a program writes. Errors: it ends with another status than 0; its error output is in the message. */
export async function output(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { stdout } = await run(command, [...args], { cwd, env, maxBuffer: MAX_OUTPUT });
  return stdout;
}

/** When the last commit was made, in seconds since 1970: the time of every file of a package. SOURCE_DATE_EPOCH goes before it. */
export async function commitTime(root: string): Promise<number> {
  const given = process.env['SOURCE_DATE_EPOCH'];
  const text = given ?? (await output('git', ['log', '-1', '--format=%ct'], root).catch(() => ''));
  const time = Number.parseInt(text, 10);
  if (Number.isSafeInteger(time) && time >= 0) return time;
  throw new Error('it is not known when this version was made: set SOURCE_DATE_EPOCH to seconds since 1970, or build it in a git checkout');
}
