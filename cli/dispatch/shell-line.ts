/** Command lines to be shown, that a shell takes as they are. Pure. */

/** Characters that no shell gives a meaning. */
const PLAIN = /^[A-Za-z0-9_@%+:,./-]+$|^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*$/;

export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

/** `-- -opt value` as `ctl` takes it; nothing for no options. */
export function optionWords(options: Readonly<Record<string, string>>): string[] {
  const entries = Object.entries(options);
  if (entries.length === 0) return [];
  return ['--', ...entries.flatMap(([name, value]) => (/^--?[A-Za-z]/.test(value) ? [`-${name}=${value}`] : [`-${name}`, value]))];
}
