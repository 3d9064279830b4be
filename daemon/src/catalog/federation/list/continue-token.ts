/**
 * The token that says where the next page of a list over nodes begins. It never expires, since it contains all that is needed: the last row
 * given, how its node goes on, the version of the first page, and which nodes have answered. Pure. A client that forges one gets nothing
 * that it could not ask for.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { NodeStatement } from '../../../../../protocol/objects/completeness.ts';
import { objectName } from '../../../../../protocol/objects/objects.ts';
import { MAX_PEER_CONTINUE } from '../peer/rows-decoder.ts';

/** Characters of a token: room for the marks of 1,024 nodes, within the head of a request. */
const MAX_TOKEN = 12_000;
/** Characters of a node's mark: 24 bits distinguish a thousand nodes well enough for a statement. */
const MARK_LENGTH = 4;

const marks = z
  .string()
  .max(8_192)
  .regex(/^[A-Za-z0-9_-]*$/);
const name = z.union([z.literal(''), objectName]);
const token = z.strictObject({
  v: z.literal(1),
  /** Group and plural of the kind. */
  k: z.string().max(317),
  /** Version of the first page. */
  r: z.string().regex(/^\d{1,16}$/),
  /** Namespace and name of the last row. */
  a: z.tuple([z.string().max(63), name]),
  /**
   * How that row's node goes on; absent if it is done. `p`: the peer's own token for the page; `b`: the name after which that page begins;
   * `s`: rows of it already given.
   */
  n: z.strictObject({ p: z.string().max(MAX_PEER_CONTINUE), b: name, s: z.number().int().nonnegative().max(100_000) }).optional(),
  /** Marks of the nodes that are done, by state: answered, denied, stale. Nodes without a mark did not answer. */
  h: z.strictObject({ a: marks, d: marks, s: marks }),
});

export interface Continuation {
  resourceVersion: string;
  namespace: string;
  name: string;
  /** Absent: the node is done, and the list goes on with the next one. */
  within?: { continue: string; before: string; given: number };
  over: Over;
}

/** Which nodes are done, and how each ended. */
export class Over {
  readonly #marks: Record<'answered' | 'denied' | 'stale', string>;

  constructor(marksByState = { answered: '', denied: '', stale: '' }) {
    this.#marks = { ...marksByState };
  }

  add({ node, state }: Pick<NodeStatement, 'node' | 'state'>): void {
    if (state === 'unreachable' || state === 'unasked') return;
    if (this.stateOf(node) === undefined) this.#marks[state] += markOf(node);
  }

  /** Undefined if the node did not answer. */
  stateOf(node: string): 'answered' | 'denied' | 'stale' | undefined {
    const mark = markOf(node);
    const has = (text: string) => {
      for (let at = 0; at < text.length; at += MARK_LENGTH) if (text.startsWith(mark, at)) return true;
      return false;
    };
    if (has(this.#marks.answered)) return 'answered';
    if (has(this.#marks.denied)) return 'denied';
    return has(this.#marks.stale) ? 'stale' : undefined;
  }

  get marks(): Readonly<Record<'answered' | 'denied' | 'stale', string>> {
    return this.#marks;
  }
}

function markOf(node: string): string {
  return createHash('sha256').update(node).digest('base64url').slice(0, MARK_LENGTH);
}

export function encodeContinue(kind: { group: string; plural: string }, at: Continuation): string {
  const { answered: a, denied: d, stale: s } = at.over.marks;
  const value: z.infer<typeof token> = {
    v: 1,
    k: `${kind.group}/${kind.plural}`,
    r: at.resourceVersion,
    a: [at.namespace, at.name],
    ...(at.within === undefined ? {} : { n: { p: at.within.continue, b: at.within.before, s: at.within.given } }),
    h: { a, d, s },
  };
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Throws BAD_REQUEST unless the text is a token of a list of this kind over nodes. */
export function decodeContinue(kind: { group: string; plural: string }, text: string): Continuation {
  const read = token.safeParse(text.length > MAX_TOKEN ? undefined : tryJson(Buffer.from(text, 'base64url').toString('utf8')));
  if (!read.success || read.data.k !== `${kind.group}/${kind.plural}`) {
    throw new DtkdError('BAD_REQUEST', 'the continue token of this list cannot be read', {
      next: 'Use the token of the previous page, unchanged, or begin again without one.',
    });
  }
  const { r, a, n, h } = read.data;
  return {
    resourceVersion: r,
    namespace: a[0],
    name: a[1],
    ...(n === undefined ? {} : { within: { continue: n.p, before: n.b, given: n.s } }),
    over: new Over({ answered: h.a, denied: h.d, stale: h.s }),
  };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
