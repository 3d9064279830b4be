/** What a list over several nodes says of each of them, gathered from its pages. */
import { completenessSentences, isComplete, type NodeStatement, nodeStatement } from '../../protocol/completeness.ts';
import { type JsonRecord, listAt } from '../json.ts';
import { escapeControls } from './escape.ts';

/** Gathers the statements of a list's pages: the last word about each node counts. */
export class Completeness {
  readonly #byNode = new Map<string, NodeStatement>();

  add(page: JsonRecord): void {
    for (const item of listAt(page, 'metadata', 'completeness')) {
      const statement = nodeStatement.safeParse(item).data;
      if (statement !== undefined) this.#byNode.set(statement.node, statement);
    }
  }

  /** True if every node that was asked answered. */
  get complete(): boolean {
    return isComplete([...this.#byNode.values()]);
  }

  /** A node that did not answer. */
  isSilent(node: string): boolean {
    return this.#byNode.get(node)?.state === 'unreachable';
  }

  /** Sentences for people about nodes that did not answer in full; none if all did. */
  lines(): string[] {
    return completenessSentences([...this.#byNode.values()]).map((sentence) => escapeControls(sentence));
  }
}
