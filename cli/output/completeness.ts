/** What a list over several nodes says of each of them, gathered from its pages. */
import { DtkdError } from '../../protocol/errors.ts';
import { completenessSentences, isComplete, type NodeStatement, nodeStatement } from '../../protocol/objects/completeness.ts';
import { type JsonRecord, listAt, textAt, valueAt } from '../json.ts';
import { escapeControls } from './escape.ts';

/** Gathers the statements of a list's pages: the last word about each node counts. */
export class Completeness {
  readonly #byNode = new Map<string, NodeStatement>();
  #overNodes = false;
  #cut = false;

  add(page: JsonRecord): void {
    if (valueAt(page, 'metadata', 'completeness') === undefined) return;
    this.#overNodes = true;
    this.#cut = (textAt(page, 'metadata', 'continue') ?? '') !== '';
    for (const item of listAt(page, 'metadata', 'completeness')) {
      const statement = nodeStatement.safeParse(item).data;
      if (statement === undefined) continue;
      // a later page only says that an earlier one had it so
      const isKnown = this.#byNode.get(statement.node)?.state === statement.state;
      if (!isKnown) this.#byNode.set(statement.node, statement);
    }
  }

  /** What was said of each node, as it stands in the list's metadata; nothing of a list that is about no other node. */
  get metadata(): { completeness?: NodeStatement[] } {
    return this.#overNodes ? { completeness: [...this.#byNode.values()] } : {};
  }

  /** True if every node that is meant answered, and all that it shows is there. */
  get complete(): boolean {
    return !this.#cut && isComplete([...this.#byNode.values()]);
  }

  /** Nodes that are to answer yet. */
  get awaited(): string[] {
    return [...this.#byNode.values()].filter(({ state }) => state === 'unreachable' || state === 'stale').map(({ node }) => node);
  }

  /** Throws if the one node that is meant is not asked. */
  assertAsked(node: string, plural: string): void {
    this.#refuse(node, plural, ['unasked']);
  }

  /** Throws if it is not known what the one node has that is meant: that is not the same as that it has nothing. */
  assertHeard(node: string, plural: string): void {
    this.#refuse(node, plural, ['unasked', 'unreachable']);
  }

  /** Throws unless all that this node has of it is there. */
  assertAll(node: string, plural: string): void {
    this.#refuse(node, plural, ['unasked', 'unreachable', 'stale', 'denied']);
  }

  #refuse(node: string, plural: string, states: readonly NodeStatement['state'][]): void {
    const statement = this.#byNode.get(node);
    if (statement !== undefined && states.includes(statement.state)) throw missing(statement, plural);
  }

  /** Sentences for people about what is not, or not wholly, in the list; none if all is. */
  lines(): string[] {
    const sentences = completenessSentences([...this.#byNode.values()]).map((sentence) => escapeControls(sentence));
    return this.#cut ? [...sentences, 'The list ends at its limit: there may be more, also of other nodes.'] : sentences;
  }
}

function missing(statement: NodeStatement, plural: string): DtkdError {
  const { node, state } = statement;
  const message = `what ${plural} ${node} has is not known: ${completenessSentences([statement]).join()}`;
  if (state === 'denied' || state === 'unasked') return new DtkdError('FORBIDDEN', message);
  return new DtkdError('PEER_AWAY', message, {
    next: `Try again when it is back, or see what it answered last: dtkd get ${plural} -n ${node} --stale`,
  });
}
