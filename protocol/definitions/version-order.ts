/** Orders versions of modules (Semantic Versioning 2.0.0 §11). Pure. */

/** Negative if `a` is older than `b`, zero if they are equal, positive if it is newer. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  for (const [at, number] of left.numbers.entries()) {
    const difference = compareNumbers(number, right.numbers[at] ?? '');
    if (difference !== 0) return difference;
  }
  if (left.tail === undefined || right.tail === undefined) {
    return left.tail === right.tail ? 0 : left.tail === undefined ? 1 : -1;
  }
  for (let at = 0; at < Math.max(left.tail.length, right.tail.length); at++) {
    const [x, y] = [left.tail[at], right.tail[at]];
    if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? -1 : 1;
    const difference = compareIdentifiers(x, y);
    if (difference !== 0) return difference;
  }
  return 0;
}

function split(version: string): { numbers: string[]; tail: string[] | undefined } {
  const dash = version.indexOf('-');
  const numbers = (dash < 0 ? version : version.slice(0, dash)).split('.');
  return { numbers, tail: dash < 0 ? undefined : version.slice(dash + 1).split('.') };
}

/** Compares identifiers: numbers by value and before words, words as spelled. */
function compareIdentifiers(x: string, y: string): number {
  const [a, b] = [/^\d+$/.test(x), /^\d+$/.test(y)];
  if (a && b) return compareNumbers(x, y);
  if (a !== b) return a ? -1 : 1;
  return compareSpelled(x, y);
}

/** Compares numbers by their digits: they may be too large for a JavaScript number. */
function compareNumbers(x: string, y: string): number {
  const [a, b] = [x.replace(/^0+/, ''), y.replace(/^0+/, '')];
  return a.length - b.length || compareSpelled(a, b);
}

function compareSpelled(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
