/** Counts how often lists reported each state of each node. Keeps nothing about nodes that are no longer members. */
import { NODE_STATES, type NodeStatement } from '../../../../../protocol/objects/completeness.ts';

export class StatementCounts {
  readonly #counts = new Map<string, Record<NodeStatement['state'], number>>();

  add({ node, state }: NodeStatement): void {
    const known = this.#counts.get(node);
    if (known !== undefined) known[state] += 1;
    else this.#counts.set(node, { answered: 0, denied: 0, stale: 0, unreachable: 0, unasked: 0, [state]: 1 });
  }

  /** The counts of these nodes; those of all others are deleted. */
  of(nodes: readonly string[]): { node: string; state: NodeStatement['state']; count: number }[] {
    const present = new Set(nodes);
    for (const node of this.#counts.keys()) if (!present.has(node)) this.#counts.delete(node);
    return [...this.#counts].flatMap(([node, counts]) => NODE_STATES.map((state) => ({ node, state, count: counts[state] })));
  }
}
