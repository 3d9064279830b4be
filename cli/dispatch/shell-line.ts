/** Command lines for people, quoted so that a shell can run them. Pure. */
import { shellWord } from '../../protocol/text/shell-word.ts';

export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

/** `-- -opt value`, as `ctl` takes it; empty without options. */
export function optionWords(options: Readonly<Record<string, string>>): string[] {
  const entries = Object.entries(options);
  if (entries.length === 0) return [];
  return ['--', ...entries.flatMap(([name, value]) => (/^--?[A-Za-z]/.test(value) ? [`-${name}=${value}`] : [`-${name}`, value]))];
}
