/**
 * Puts a list over nodes together: turn after turn in namespace order, while the first pages of the next turns are being fetched. Reading
 * drives it. A node that fails ends its own turn and nothing else.
 */
import { type NodeStatement, STALE_ANNOTATION } from '../../../../../protocol/objects/completeness.ts';
import { toTimestamp } from '../../../../../protocol/objects/objects.ts';
import { type KeptView, MAX_PART_BYTES, MAX_PART_ROWS } from '../cache/kept-view.ts';
import type { Difference } from '../cache/list-notes.ts';
import type { Json, ListEnd } from '../federation.types.ts';
import { missing, whyAbsent } from '../peer/absence.ts';
import { objectOf } from '../peer/row.ts';
import type { PeerNode } from '../peer-api.types.ts';
import type { FederatedSelection } from '../selection.ts';
import { encodeContinue, type Over } from './continue-token.ts';
import type { Turn } from './turn.ts';

/** Rows of a page read when it is the node's turn, and of one fetched ahead. */
const PAGE_ROWS = 1_000;
const FIRST_ROWS = 100;
/** Bytes of a page fetched ahead. */
const AHEAD_BYTES = 256 * 1024;
/**
 * Turns whose first page is fetched ahead. A list with a limit begins with none, since the first node may well fill the page; the number
 * about doubles with each node that does not.
 */
const AHEAD = 16;
/** The same for a list without a limit, while it waits for a node. */
const AHEAD_WAITING = 64;
/**
 * Milliseconds of waiting for one node after which more of those behind it are asked. Longer than a node on a busy machine needs, since
 * that would only give it more work; short enough that those that answer late, too, do so within the time of the first.
 */
const PATIENCE_MS = 150;

export interface ConcatenationOptions {
  kind: { group: string; plural: string };
  turns: readonly Turn[];
  /** Peers whose turn ended on an earlier page. */
  before: readonly PeerNode[];
  over: Over;
  /** 0: no limit. */
  limit: number;
  stale: boolean;
  selection: FederatedSelection;
  kept: KeptView;
  resourceVersion: string;
  /** How this page differs from what is kept; this class adds to it. */
  note: Map<string, Difference>;
  /**
   * Called at the end of the page, before `end()` reports it. Returns the list's version: for a list that ends here, the one that includes
   * all that it showed, if there is one.
   */
  close: (isLast: boolean) => Promise<string>;
  /** Called with each statement that this page makes. */
  onStatement: (statement: NodeStatement) => void;
  now: () => number;
}

export class Concatenation {
  readonly #options: ConcatenationOptions;
  readonly #statements: NodeStatement[];
  #ahead: number;
  #given = 0;
  #end: ListEnd | undefined;

  constructor(options: ConcatenationOptions) {
    this.#options = options;
    this.#statements = options.before.map((peer) => earlier(peer, options.over));
    this.#ahead = options.limit === 0 ? AHEAD : 0;
  }

  end(): ListEnd {
    return this.#end ?? { resourceVersion: this.#options.resourceVersion, completeness: this.#statements };
  }

  async *batches(): AsyncGenerator<readonly Json[]> {
    const { turns } = this.#options;
    for (const [index, turn] of turns.entries()) {
      this.#lookAhead(index);
      for await (const items of this.#turn(turn, index)) {
        this.#given += items.length;
        yield items;
        if (this.#left() > 0) continue;
        if (!turn.done) return this.#stop(index, true);
        break;
      }
      if (this.#left() === 0) {
        if (turn.peer !== undefined && !this.#isStated(turn.namespace)) this.#state({ node: turn.namespace, state: 'answered' });
        return this.#stop(index, false);
      }
      if (this.#options.limit > 0) this.#ahead = Math.min(AHEAD, this.#ahead * 2 + 1);
    }
    await this.#finish();
  }

  async #finish(): Promise<void> {
    this.#end = { resourceVersion: await this.#options.close(true), completeness: this.#statements };
  }

  /** Rows that this page may still give. */
  #left(): number {
    const { limit } = this.#options;
    return limit === 0 ? Number.POSITIVE_INFINITY : limit - this.#given;
  }

  async *#turn(turn: Turn, index: number): AsyncGenerator<readonly Json[]> {
    const { peer, namespace } = turn;
    const { over, kept, now } = this.#options;
    const isStale = over.stateOf(namespace) === 'stale';
    if (peer !== undefined && (isStale || !peer.reachable)) {
      if (!isStale && !kept.leases.isFollowed(peer.key) && kept.parts().has(peer.key)) await kept.setAway(peer, toTimestamp(now()));
      yield* this.#fallen(peer, turn, whyAbsent(peer));
      return;
    }
    const sum = { rows: 0, bytes: 0 };
    while (!turn.done) {
      const given = await this.#waiting(turn, index);
      if ('failed' in given) {
        const { outcome, reason } = given.failed;
        if (outcome === 'denied') this.#state({ node: namespace, state: 'denied', reason });
        else if (peer !== undefined) yield* this.#fallen(peer, turn, reason);
        return;
      }
      if (this.#options.limit === 0) {
        if (peer !== undefined && isTooMuch(sum, given.items)) {
          this.#state({ node: namespace, state: 'unreachable', reason: TOO_MUCH });
          return;
        }
        turn.prefetch(PAGE_ROWS, AHEAD_BYTES * 4);
      }
      if (given.items.length > 0) yield given.items;
      if (this.#left() === 0) return;
    }
    if (peer !== undefined) this.#state({ node: namespace, state: 'answered' });
  }

  /** Shows what is kept of a peer that does not answer, if the request wants that. */
  async *#fallen(peer: PeerNode, turn: Turn, reason: string): AsyncGenerator<readonly Json[]> {
    const { stale, kept, selection, now } = this.#options;
    const part = kept.parts().get(peer.key);
    // rows kept under the peer's former name are not what was asked for
    if (!stale || part?.namespace !== peer.namespace) {
      this.#state(missing(peer, reason));
      return;
    }
    const since = part.since ?? toTimestamp(now());
    this.#state({ node: peer.namespace, state: 'stale', since, reason });
    yield* keptRows(kept, turn, { key: peer.key, since, selection }, () => Math.min(PAGE_ROWS, this.#left()));
  }

  /** Takes from one node, and asks those behind it if that takes long. */
  async #waiting(turn: Turn, index: number): Promise<Awaited<ReturnType<Turn['take']>>> {
    const timer = setTimeout(() => {
      this.#ahead = Math.max(this.#ahead, this.#options.limit === 0 ? AHEAD_WAITING : AHEAD);
      this.#lookAhead(index);
    }, PATIENCE_MS);
    try {
      return await turn.take(Math.min(PAGE_ROWS, this.#left()));
    } finally {
      clearTimeout(timer);
    }
  }

  #lookAhead(index: number): void {
    const { turns, over } = this.#options;
    const rows = Math.min(FIRST_ROWS, this.#left());
    for (const turn of turns.slice(index + 1, index + 1 + this.#ahead)) {
      if (turn.peer?.reachable === true && over.stateOf(turn.namespace) !== 'stale') turn.prefetch(rows, AHEAD_BYTES);
    }
  }

  /** Ends a page that is full. */
  async #stop(index: number, within: boolean): Promise<void> {
    const { turns, over, kind, stale } = this.#options;
    const turn = turns[index];
    const rest = turns.slice(index + 1);
    if (turn === undefined) return;
    if (!within && rest.every(({ peer }) => peer !== undefined && !peer.reachable && !stale)) {
      for (const { peer } of rest) if (peer !== undefined) this.#state(missing(peer, whyAbsent(peer)));
      return this.#finish();
    }
    const { continue: next, before, given, after } = turn.place;
    const resourceVersion = await this.#options.close(false);
    this.#end = {
      resourceVersion,
      continue: encodeContinue(kind, {
        resourceVersion,
        namespace: turn.namespace,
        name: after,
        ...(within ? { within: { continue: next, before, given } } : {}),
        over,
      }),
      completeness: this.#statements,
    };
  }

  #isStated(node: string): boolean {
    return this.#statements.some((statement) => statement.node === node);
  }

  #state(statement: NodeStatement): void {
    const { turns, over, kept, note, onStatement } = this.#options;
    this.#statements.push(statement);
    onStatement(statement);
    over.add(statement);
    if (statement.state === 'answered') return;
    const peer = turns.find(({ namespace }) => namespace === statement.node)?.peer;
    const part = peer === undefined ? undefined : kept.parts().get(peer.key);
    if (part === undefined) return;
    if (statement.state !== 'stale') note.set(part.peer, 'partly');
    // rows kept as old are shown as kept: noting them for lists every few seconds would push out the notes of others
    else if (part.since === undefined) note.set(part.peer, 'otherwise');
  }
}

/** A list without a limit must end, whatever a node sends; and a watch that goes on from it follows no more rows of one node than this. */
export const TOO_MUCH = 'it has more rows than a list without a limit can have; give a limit and read page by page';

/** Adds the items to the sum first. */
function isTooMuch(sum: { rows: number; bytes: number }, items: readonly Json[]): boolean {
  sum.rows += items.length;
  for (const item of items) sum.bytes += item.length;
  return sum.rows > MAX_PART_ROWS || sum.bytes > MAX_PART_BYTES;
}

/** Yields kept rows after the turn's last name, marked as old; ends the turn with the last one. */
async function* keptRows(
  kept: KeptView,
  turn: Turn,
  { key, since, selection }: { key: string; since: string; selection: FederatedSelection },
  most: () => number,
): AsyncGenerator<readonly Json[]> {
  for (;;) {
    const want = most();
    // one more row shows whether there are more
    const rows = await kept.rows(key, turn.place.after, want + 1);
    const items: Json[] = [];
    for (const { name, json } of rows.slice(0, want)) {
      turn.place = { continue: '', before: '', given: 0, after: name };
      const object = objectOf(json);
      if (selection.matches(object)) items.push(JSON.stringify(markedStale(object, since)));
    }
    turn.done = rows.length <= want;
    if (items.length > 0) yield items;
    if (turn.done) return;
  }
}

/** Marks a row that its owner has not confirmed since then. */
export function markedStale<T extends { metadata: { annotations?: Record<string, string> } }>(object: T, since: string): T {
  return { ...object, metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, [STALE_ANNOTATION]: since } } };
}

function earlier(peer: PeerNode, over: Over): NodeStatement {
  const { namespace: node, suspended } = peer;
  const state = over.stateOf(node);
  if (state === 'answered') return { node, state };
  if (state === 'stale') return { node, state, reason: 'it did not answer on an earlier page' };
  if (state === 'denied') return { node, state, reason: 'it denied an earlier page' };
  if (suspended) return missing(peer, whyAbsent(peer));
  return { node, state: 'unreachable', reason: 'it did not answer when its turn came on an earlier page, or came only later' };
}
