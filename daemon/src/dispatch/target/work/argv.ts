/** How a script is started: pure. */
import type { Script } from '../../../../../protocol/definitions/commands.ts';

const SHELL = '/bin/sh';
/** The kernel reads no further, either. */
const MAX_FIRST_LINE = 255;

/** The program and its argument that the first line of a file names (`#!…`), as the kernel reads it; undefined if it names none. */
export function namedInterpreter(content: Uint8Array): string[] | undefined {
  const head = Buffer.from(content.subarray(0, MAX_FIRST_LINE)).toString('utf8');
  const match = /^#![ \t]*([^\s]+)(?:[ \t]+([^\r\n]*))?/.exec(head);
  if (match === null) return undefined;
  const argument = match[2]?.trim() ?? '';
  return [match[1] ?? SHELL, ...(argument === '' ? [] : [argument])];
}

/** `path` is where the text of the script lies, `content` its beginning. What is neither a script with a first line nor executable is for the shell. */
export function argvOf(
  script: Pick<Script, 'interpreter' | 'args'>,
  { path, content, executable }: { path: string; content: Uint8Array; executable: boolean },
): string[] {
  const interpreter = script.interpreter ?? namedInterpreter(content) ?? (executable ? [] : [SHELL]);
  return [...interpreter, path, ...(script.args ?? [])];
}

/** The variables of the daemon's own environment that commands see. */
export function allowedEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  allowed: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    allowed.flatMap((name) => {
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
