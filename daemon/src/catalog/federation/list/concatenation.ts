/**
 * A list over nodes as it is put together: turn after turn in namespace order, with the first pages of the turns ahead on their way. Reading
 * it on is what drives it. A node that fails ends its own turn and nothing else.
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

/** Rows of a page that is read when it is the node's turn, and of one that is fetched ahead. */
const PAGE_ROWS = 1_000;
const FIRST_ROWS = 100;
/** Bytes of a page that is fetched ahead. */
const AHEAD_BYTES = 256 * 1024;
/**
 * Turns whose first page is fetched ahead. Of a list with a limit none at first: the first node may well fill the page. Each one that does not
 * doubles them.
 */
const AHEAD = 16;
/** Of a list without a limit, while it waits for somebody. */
const AHEAD_WAITING = 64;
/**
 * Milliseconds after which waiting for one node is used to ask more of those behind it. Longer than a node needs on a busy machine, for which it
 * would be more work; short enough for those that answer late, too, to be within the time of the first.
 */
const PATIENCE_MS = 150;

export interface ConcatenationOptions {
  kind: { group: string; plural: string };
  turns: readonly Turn[];
  /** Peers whose turn was over on an earlier page. */
  before: readonly PeerNode[];
  over: Over;
  /** 0: all. */
  limit: number;
  stale: boolean;
  selection: FederatedSelection;
  kept: KeptView;
  resourceVersion: string;
  /** How this page differs from what is kept: added to. */
  note: Map<string, Difference>;
  /** Called at the end of the page, before it is told. Returns the list's version: of one that ends here, that which shows all of it, if that can be told. */
  close: (isLast: boolean) => Promise<string>;
  /** Told of each statement that this page makes. */
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

  /** Rows that may still be given. */
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

  /** What is kept of a peer that does not answer, where that is wanted. */
  async *#fallen(peer: PeerNode, turn: Turn, reason: string): AsyncGenerator<readonly Json[]> {
    const { stale, kept, selection, now } = this.#options;
    const part = kept.parts().get(peer.key);
    // what it showed under another name is not what is asked for
    if (!stale || part?.namespace !== peer.namespace) {
      this.#state(missing(peer, reason));
      return;
    }
    const since = part.since ?? toTimestamp(now());
    this.#state({ node: peer.namespace, state: 'stale', since, reason });
    yield* keptRows(kept, turn, { key: peer.key, since, selection }, () => Math.min(PAGE_ROWS, this.#left()));
  }

  /** While one node lets us wait, those behind it are asked. */
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

  /** The page is full. */
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
    // what is kept as old already is shown as it is: lists of every few seconds would else push out what is noted of others
    else if (part.since === undefined) note.set(part.peer, 'otherwise');
  }
}

/** A list without a limit has to end, whatever a node sends; and it begins a watch, which follows no more of one node than this. */
export const TOO_MUCH = 'it has more rows than a list without a limit takes; give a limit and go on page by page';

/** Adds to the sum. */
function isTooMuch(sum: { rows: number; bytes: number }, items: readonly Json[]): boolean {
  sum.rows += items.length;
  for (const item of items) sum.bytes += item.length;
  return sum.rows > MAX_PART_ROWS || sum.bytes > MAX_PART_BYTES;
}

/** Marked rows of what is kept, after the turn's last name; the turn is done with the last one. */
async function* keptRows(
  kept: KeptView,
  turn: Turn,
  { key, since, selection }: { key: string; since: string; selection: FederatedSelection },
  most: () => number,
): AsyncGenerator<readonly Json[]> {
  for (;;) {
    const want = most();
    // one more tells whether there are more
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

/** A row whose owner has not confirmed it since then. */
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
