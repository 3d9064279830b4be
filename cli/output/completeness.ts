/** What a list over several nodes says about each of them, gathered from its pages. */
import { DtkdError } from '../../protocol/errors.ts';
import { completenessSentences, isComplete, type NodeStatement, nodeStatement } from '../../protocol/objects/completeness.ts';
import { type JsonRecord, listAt, textAt, valueAt } from '../json.ts';
import { escapeControls } from './escape.ts';

/** Gathers the statements of a list's pages. The last statement about each node counts. */
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
      // keep the first statement of a state: a later page only repeats the state
      const isKnown = this.#byNode.get(statement.node)?.state === statement.state;
      if (!isKnown) this.#byNode.set(statement.node, statement);
    }
  }

  /** The statements in the form of the list's metadata; empty for a list of this node alone. */
  get metadata(): { completeness?: NodeStatement[] } {
    return this.#overNodes ? { completeness: [...this.#byNode.values()] } : {};
  }

  /** True if every node answered and the list is not cut off. */
  get complete(): boolean {
    return !this.#cut && isComplete([...this.#byNode.values()]);
  }

  /** Nodes that have yet to answer. */
  get awaited(): string[] {
    return [...this.#byNode.values()].filter(({ state }) => state === 'unreachable' || state === 'stale').map(({ node }) => node);
  }

  /** Throws if the one node of interest was not asked. */
  assertAsked(node: string, plural: string): void {
    this.#refuse(node, plural, ['unasked']);
  }

  /** Throws if it is unknown what the one node of interest has, which is not the same as that it has nothing. */
  assertHeard(node: string, plural: string): void {
    this.#refuse(node, plural, ['unasked', 'unreachable']);
  }

  /** Throws unless the list has all objects of this node. */
  assertAll(node: string, plural: string): void {
    this.#refuse(node, plural, ['unasked', 'unreachable', 'stale', 'denied']);
  }

  #refuse(node: string, plural: string, states: readonly NodeStatement['state'][]): void {
    const statement = this.#byNode.get(node);
    if (statement !== undefined && states.includes(statement.state)) throw missing(statement, plural);
  }

  /** Sentences for people about what is missing from the list, in whole or in part; empty if nothing is. */
  lines(): string[] {
    const sentences = completenessSentences([...this.#byNode.values()]).map((sentence) => escapeControls(sentence));
    return this.#cut ? [...sentences, 'The list ends at its limit: there may be more, also of other nodes.'] : sentences;
  }
}

function missing(statement: NodeStatement, plural: string): DtkdError {
  const { node, state } = statement;
  const message = `it is not known which ${plural} ${node} has: ${completenessSentences([statement]).join()}`;
  if (state === 'denied' || state === 'unasked') return new DtkdError('FORBIDDEN', message);
  return new DtkdError('PEER_AWAY', message, {
    next: `Try again when it is back, or see what it answered last: dtkd get ${plural} -n ${node} --stale`,
  });
}
