/**
 * Replaces secret values in output by `***`, however the output is cut into chunks: every byte of every occurrence of a value is covered,
 * and each unbroken run of covered bytes becomes one `***`. Makes one pass over the bytes for any number of values (Aho-Corasick), so
 * near matches cost no more than other output. Bytes that may yet become a value are held back: at most the length of the longest value
 * less one byte.
 */
import { DtkdError } from '../../../../protocol/errors.ts';

/** Shorter values are not masked: they would match everywhere. */
export const MIN_MASK_BYTES = 4;
/** Maximum bytes of all values of a process. The automaton takes about 14 bytes for each. */
export const MAX_MASKS_BYTES = 4 * 1024 * 1024;

const MASK = Buffer.from('***');
const NO_BYTES = Buffer.alloc(0);
const ROOT = 0;

export interface Masker {
  /** Bytes held back: they may yet become a value, or the rest of one. */
  readonly held: number;
  /** Takes more output and returns what can be shown now. The result is a copy, so the caller may reuse its buffer. */
  push(bytes: Uint8Array): Buffer;
  /** Returns what was still held back. Called at the end of the output. */
  end(): Buffer;
}

/** The compiled values of a process, shared by all of its streams. */
export interface Masks {
  masker(): Masker;
}

/**
 * A trie of the values, in which each state links to its longest suffix that is in the trie as well. Most states have one child, stored
 * inline; further children are in `more`.
 */
interface Automaton {
  depth: Uint32Array;
  /** Length of the longest value that ends in this state; 0 if none does. */
  match: Uint32Array;
  link: Uint32Array;
  byte: Uint8Array;
  child: Uint32Array;
  /** Children beyond the first, keyed by state * 256 + byte. */
  more: Map<number, number>;
  branches: Uint8Array;
  /** Children of the root, by byte. Most bytes of ordinary output need only this lookup. */
  first: Uint32Array;
}

/** Compiles values. Errors: INVALID if they are too large in total. */
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
  // Links, breadth-first: those of one depth depend only on those of smaller depths.
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
  /** Offsets in the stream: what was read, and what was shown or covered. `held` is what lies between. */
  let seen = 0;
  let shown = 0;
  let held: Uint8Array = NO_BYTES;
  /** The last thing shown was a `***`; a value that begins right where it ends is part of it. */
  let masking = false;
  /** Covered runs that were not shown yet: ascending, and not touching one another. */
  const covered: [number, number][] = [];

  /** Returns what is decided: the runs that begin before `until`, and all other bytes before it. */
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
      // No value that ends later can begin before this offset.
      return show(window, seen - at(depth, state));
    },
    end() {
      state = ROOT;
      return show(held, seen);
    },
  };
}

/** Adds a run that ends after all others, and merges it with those that it touches. */
function cover(covered: [number, number][], from: number, to: number): void {
  let begin = from;
  for (let last = covered.at(-1); last !== undefined && last[1] >= begin; last = covered.at(-1)) {
    begin = Math.min(begin, last[0]);
    covered.pop();
  }
  covered.push([begin, to]);
}
