/** How large a regular expression is when its repetitions are written out, before it is compiled: pure. */

const REPEAT = /\{(\d{1,6})(?:,(\d{0,6}))?\}/y;
/** What an escape takes beyond its letter: `\x{1F600}`, `\p{Greek}`. */
const BRACED = /[xpP]\{[^}]*\}/y;

/**
 * Signs that it comes to, about: to compile what is much too large costs most of a second, whatever becomes of it. Stops counting beyond `enough`. Knows only so much of the grammar as
 * repetitions need, and says more than there is where an expression can be written shorter.
 */
export function writtenOut(source: string, enough: number): number {
  const above: number[] = [];
  let size = 0;
  let last = 0;
  const add = (signs: number): void => {
    last = signs;
    size += signs;
  };
  for (let at = 0; at < source.length && size <= enough; at++) {
    const char = source[at];
    if (char === '\\') {
      at = matchedAt(BRACED, source, at + 1)?.end ?? at + 1;
      add(1);
    } else if (char === '[') {
      at = endOfClass(source, at);
      add(1);
    } else if (char === '(') {
      above.push(size);
      size = 0;
    } else if (char === ')') {
      const group = size;
      size = above.pop() ?? 0;
      add(group);
    } else if (char === '{') {
      const repeat = matchedAt(REPEAT, source, at);
      if (repeat === undefined) add(1);
      else {
        at = repeat.end;
        add(last * Math.max(0, ...repeat.numbers.map((number) => number - 1)));
      }
    } else if (char !== '*' && char !== '+' && char !== '?') add(1);
  }
  return above.reduce((sum, one) => sum + one, size);
}

/** A match at a place, and where its last sign is. */
function matchedAt(pattern: RegExp, text: string, at: number): { end: number; numbers: number[] } | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  return { end: at + match[0].length - 1, numbers: match.slice(1).flatMap((part) => (part ? [Number(part)] : [])) };
}

/** Where the `]` of a class stands: one that comes first is a sign of it. */
function endOfClass(source: string, start: number): number {
  let at = start + 1;
  if (source[at] === '^') at += 1;
  if (source[at] === ']') at += 1;
  for (; at < source.length && source[at] !== ']'; at++) {
    if (source[at] === '\\') at += 1;
    else if (source.startsWith('[:', at)) at = Math.max(at, source.indexOf(':]', at) + 1);
  }
  return at;
}
