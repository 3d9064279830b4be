/** Quotes a word of a command line for copying, so that a shell reads it unchanged. Pure. */

/** Matches words that no shell changes. */
const PLAIN = /^[A-Za-z0-9_@%+:,./-]+$|^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*$/;

export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
