/** Estimates the size of a regular expression with its repetitions written out, before it is compiled. Pure. */

const REPEAT = /\{(\d{1,6})(?:,(\d{0,6}))?\}/y;
/** An escape with braces, after its backslash: `\x{1F600}`, `\p{Greek}`. */
const BRACED = /[xpP]\{[^}]*\}/y;

/**
 * Returns the approximate number of signs that a pattern expands to. Compiling a pattern that is much too large costs most of a second,
 * even if it is then refused. Stops counting beyond `enough`. Understands only as much of the grammar as repetitions need, and
 * overestimates patterns that could be written shorter.
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

/** Matches at a position. Returns the position of the last matched character, and the numbers in the match. */
function matchedAt(pattern: RegExp, text: string, at: number): { end: number; numbers: number[] } | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  return { end: at + match[0].length - 1, numbers: match.slice(1).flatMap((part) => (part ? [Number(part)] : [])) };
}

/** Returns the position of the `]` that closes a class. A `]` that comes first is a member of the class. */
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
