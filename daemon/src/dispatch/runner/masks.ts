/**
 * Replaces secret values in output by `***`, however the output was cut into chunks: every byte of any occurrence of any value is covered,
 * and each unbroken run of covered bytes becomes one `***`. One pass over the bytes (Aho and Corasick), however many values: output that
 * nearly matches costs no more than other output. Bytes that may yet become a value are held back, at most the longest value less one
 * byte.
 */
import { DtkdError } from '../../../../protocol/errors.ts';

/** Shorter values are not masked: they would be found everywhere. */
export const MIN_MASK_BYTES = 4;
/** Bytes of all values of a process. The automaton takes some 14 bytes for each. */
export const MAX_MASKS_BYTES = 4 * 1024 * 1024;

const MASK = Buffer.from('***');
const NO_BYTES = Buffer.alloc(0);
const ROOT = 0;

export interface Masker {
  /** Bytes that may yet become a value, or the rest of one. */
  readonly held: number;
  /** What can be shown after these bytes. The answer is a copy: the argument may be used again. */
  push(bytes: Uint8Array): Buffer;
  /** What was held back and turned out to be no value: at the end. */
  end(): Buffer;
}

/** The values of a process, compiled: one for all of its streams. */
export interface Masks {
  masker(): Masker;
}

/**
 * Values in a trie with links to the longest suffix that is in it, too. Most states have one child, kept inline; further ones are in
 * `more`.
 */
interface Automaton {
  depth: Uint32Array;
  /** Length of the longest value that ends here; 0: none does. */
  match: Uint32Array;
  link: Uint32Array;
  byte: Uint8Array;
  child: Uint32Array;
  /** Children beyond the first, by state * 256 + byte. */
  more: Map<number, number>;
  branches: Uint8Array;
  /** Children of the root by byte: most bytes of ordinary output are looked up here alone. */
  first: Uint32Array;
}

/** Compiles values. Errors: INVALID if they are too large in sum. */
export function compileMasks(values: readonly Uint8Array[]): Masks {
  const longEnough = values.filter(({ length }) => length >= MIN_MASK_BYTES);
  const total = longEnough.reduce((sum, { length }) => sum + length, 0);
  if (total > MAX_MASKS_BYTES) {
    throw new DtkdError('INVALID', `the secret values of one process are ${total} bytes, the limit is ${MAX_MASKS_BYTES}`);
  }
  if (total === 0) return { masker: plain };
  const automaton = build(longEnough, total + 1);
  return { masker: () => createMasker(automaton) };
}

function plain(): Masker {
  return { held: 0, push: (bytes) => Buffer.from(bytes), end: () => NO_BYTES };
}

function build(values: readonly Uint8Array[], states: number): Automaton {
  const automaton: Automaton = {
    depth: new Uint32Array(states),
    match: new Uint32Array(states),
    link: new Uint32Array(states),
    byte: new Uint8Array(states),
    child: new Uint32Array(states),
    more: new Map(),
    branches: new Uint8Array(states),
    first: new Uint32Array(256),
  };
  const { depth, match, link, byte, child, more, branches, first } = automaton;
  let used = 1;
  for (const value of values) {
    let state = ROOT;
    for (const one of value) {
      let next = goto(automaton, state, one);
      if (next === ROOT) {
        next = used;
        used += 1;
        depth[next] = at(depth, state) + 1;
        if (state === ROOT) first[one] = next;
        else if (at(child, state) === ROOT) {
          child[state] = next;
          byte[state] = one;
        } else {
          more.set(state * 256 + one, next);
          branches[state] = 1;
        }
      }
      state = next;
    }
    match[state] = value.length;
  }
  // Links, the nearest states first: those of a depth need only those of lesser depths.
  const children = new Map<number, [number, number][]>();
  for (const [key, next] of more) {
    const state = Math.floor(key / 256);
    const list = children.get(state) ?? [];
    list.push([key % 256, next]);
    children.set(state, list);
  }
  const queue = [...first].filter((state) => state !== ROOT);
  for (let head = 0; head < queue.length; head += 1) {
    const state = queue[head] ?? ROOT;
    const onward: [number, number][] = at(child, state) === ROOT ? [] : [[at(byte, state), at(child, state)]];
    for (const [one, next] of [...onward, ...(children.get(state) ?? [])]) {
      link[next] = step(automaton, at(link, state), one);
      match[next] = Math.max(at(match, next), at(match, at(link, next)));
      queue.push(next);
    }
  }
  return automaton;
}

function at(table: Uint32Array | Uint8Array, index: number): number {
  return table[index] ?? 0;
}

function goto({ first, byte, child, branches, more }: Automaton, state: number, one: number): number {
  if (state === ROOT) return at(first, one);
  const next = at(child, state);
  if (next !== ROOT && byte[state] === one) return next;
  return branches[state] === 1 ? (more.get(state * 256 + one) ?? ROOT) : ROOT;
}

function step(automaton: Automaton, from: number, one: number): number {
  let state = from;
  for (;;) {
    const next = goto(automaton, state, one);
    if (next !== ROOT || state === ROOT) return next;
    state = at(automaton.link, state);
  }
}

function createMasker(automaton: Automaton): Masker {
  const { depth, match, first } = automaton;
  let state = ROOT;
  /** Offsets in the stream: so far it was read, and so far it was shown or covered. Between them lies `held`. */
  let seen = 0;
  let shown = 0;
  let held: Uint8Array = NO_BYTES;
  /** What was shown last was a `***`: values that begin where it ends belong to it. */
  let masking = false;
  /** What is covered and not shown yet: runs apart from one another, ascending. */
  const covered: [number, number][] = [];

  /** Shows what is decided: runs that begin before `until`, and all other bytes before it. */
  const show = (window: Uint8Array, until: number): Buffer => {
    const base = shown;
    const parts: Uint8Array[] = [];
    const plainTo = (offset: number): void => {
      if (offset <= shown) return;
      parts.push(window.subarray(shown - base, offset - base));
      shown = offset;
      masking = false;
    };
    let done = 0;
    for (const [from, to] of covered) {
      if (from >= until) break;
      plainTo(from);
      if (!masking) parts.push(MASK);
      masking = true;
      shown = Math.max(shown, to);
      done += 1;
    }
    covered.splice(0, done);
    plainTo(until);
    held = Buffer.from(window.subarray(shown - base));
    return Buffer.concat(parts);
  };

  return {
    get held() {
      return held.length;
    },
    push(bytes) {
      const window = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      const base = shown;
      const end = seen + bytes.length;
      while (seen < end) {
        if (state === ROOT) {
          while (seen < end && first[window[seen - base] ?? 0] === ROOT) seen += 1;
          if (seen === end) break;
        }
        state = step(automaton, state, window[seen - base] ?? 0);
        seen += 1;
        const length = at(match, state);
        if (length > 0) cover(covered, seen - length, seen);
      }
      // No value that ends later can begin before this.
      return show(window, seen - at(depth, state));
    },
    end() {
      state = ROOT;
      return show(held, seen);
    },
  };
}

/** Adds a run that ends behind all others, and joins those that it touches. */
function cover(covered: [number, number][], from: number, to: number): void {
  let begin = from;
  for (let last = covered.at(-1); last !== undefined && last[1] >= begin; last = covered.at(-1)) {
    begin = Math.min(begin, last[0]);
    covered.pop();
  }
  covered.push([begin, to]);
}
