/** Shows where a text is wrong: an excerpt around the position, with a caret under it. */

/** Characters shown on either side: both fit on one line of a terminal. */
const AROUND = 50;

/** Returns two lines, each preceded by a line break and indented. `at` counts UTF-16 units from the beginning of `text`. */
export function caretUnder(text: string, at: number): string {
  const place = Math.min(Math.max(at, 0), text.length);
  const start = Math.max(0, place - AROUND);
  const end = Math.min(text.length, place + AROUND);
  const head = start > 0 ? '…' : '';
  const tail = end < text.length ? '…' : '';
  const shown = text.slice(start, end).replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
  return `\n  ${head}${shown}${tail}\n  ${' '.repeat(head.length + place - start)}^`;
}
