/** A word of a command line that is to be copied: as a shell takes it for that word. Pure. */

/** Characters that no shell gives a meaning. */
const PLAIN = /^[A-Za-z0-9_@%+:,./-]+$|^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*$/;

export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
