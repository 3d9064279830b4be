/** Converts warnings between headers and the heads of answers. Pure. */

/** Maximum number of warnings in an answer, and characters in each. */
const MAX_WARNINGS = 8;
const MAX_WARNING = 1_024;

/** The texts in a `Warning` header: `299 - "one", 299 - "another"`. */
export function warningTexts(header: string): string[] {
  const texts = [...header.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) => (match[1] ?? '').replace(/\\(.)/g, '$1'));
  return texts.slice(0, MAX_WARNINGS).map((text) => text.slice(0, MAX_WARNING));
}
