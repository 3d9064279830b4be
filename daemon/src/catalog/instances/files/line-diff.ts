/**
 * Line diff in the style of `diff -u`, by Myers, "An O(ND) Difference Algorithm and Its Variations". Pure. Gives up on texts that
 * are long or have little in common: nobody would read the result, and it would take long.
 */

const MAX_LINES = 10_000;
/** Differing lines. Work and memory grow with its square. */
const MAX_DIFFERING = 600;
const CONTEXT = 3;
const MAX_SHOWN_LINE = 500;

interface Line {
  op: ' ' | '-' | '+';
  text: string;
}

/** Hunks with three lines of context. Undefined: too large to show. Empty for equal texts. */
export function lineDiff(before: string, after: string): string | undefined {
  if (before === after) return '';
  const [a, b] = [linesOf(before), linesOf(after)];
  if (a.length > MAX_LINES || b.length > MAX_LINES) return undefined;
  const lines = compared(a, b);
  return lines === undefined ? undefined : hunks(lines).join('\n');
}

/** Lines of a text. A missing line break at the end becomes part of the last line. */
function linesOf(text: string): string[] {
  if (text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  else lines.push(`${lines.pop() ?? ''}\\ no line break at the end`);
  return lines;
}

function compared(a: readonly string[], b: readonly string[]): Line[] | undefined {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const middle = script(a.slice(start, a.length - end), b.slice(start, b.length - end));
  if (middle === undefined) return undefined;
  const same = (lines: readonly string[]) => lines.map((text): Line => ({ op: ' ', text }));
  return [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
}

/** The furthest x on each diagonal for some number of differences. Diagonal `k` is at index `k + middle`. */
type Furthest = { at: Int32Array; middle: number };

/** A shortest edit script from `a` to `b`. */
function script(a: readonly string[], b: readonly string[]): Line[] | undefined {
  const most = Math.min(a.length + b.length, MAX_DIFFERING);
  const middle = most + 1;
  const at = new Int32Array(2 * middle + 1).fill(-1);
  at[middle + 1] = 0;
  const trace: Furthest[] = [];
  for (let d = 0; d <= most; d++) {
    // everything that walkBack looks at
    trace.push({ at: at.slice(middle - d - 1, middle + d + 2), middle: d + 1 });
    for (let k = -d; k <= d; k += 2) {
      let x = isDown({ at, middle }, k, d) ? far({ at, middle }, k + 1) : far({ at, middle }, k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      at[middle + k] = x;
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace);
    }
  }
  return undefined;
}

function far({ at, middle }: Furthest, k: number): number {
  return at[middle + k] ?? -1;
}

/** True if the path to diagonal `k` comes from `k + 1`, by an insertion. */
function isDown(furthest: Furthest, k: number, d: number): boolean {
  return k === -d || (k !== d && far(furthest, k - 1) < far(furthest, k + 1));
}

function walkBack(a: readonly string[], b: readonly string[], trace: readonly Furthest[]): Line[] {
  const lines: Line[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d >= 0; d--) {
    const furthest = trace[d];
    if (furthest === undefined) break;
    const k = x - y;
    const down = isDown(furthest, k, d);
    const before = down ? k + 1 : k - 1;
    const fromX = far(furthest, before);
    const fromY = fromX - before;
    while (x > Math.max(fromX, 0) && y > Math.max(fromY, 0)) {
      x -= 1;
      y -= 1;
      lines.push({ op: ' ', text: a[x] ?? '' });
    }
    if (d === 0) break;
    if (down) {
      y -= 1;
      lines.push({ op: '+', text: b[y] ?? '' });
    } else {
      x -= 1;
      lines.push({ op: '-', text: a[x] ?? '' });
    }
  }
  return lines.reverse();
}

function hunks(lines: readonly Line[]): string[] {
  const shown = new Set<number>();
  for (const [at, { op }] of lines.entries()) {
    if (op !== ' ') for (let near = at - CONTEXT; near <= at + CONTEXT; near++) shown.add(near);
  }
  const out: string[] = [];
  let [before, after] = [1, 1];
  for (const [at, { op, text }] of lines.entries()) {
    if (shown.has(at)) {
      if (!shown.has(at - 1) || at === 0) out.push(`@@ -${before} +${after} @@`);
      out.push(`${op}${text.length > MAX_SHOWN_LINE ? `${text.slice(0, MAX_SHOWN_LINE)}…` : text}`);
    }
    if (op !== '+') before += 1;
    if (op !== '-') after += 1;
  }
  return out;
}
