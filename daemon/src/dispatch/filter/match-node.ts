/** Decides which nodes a filter chooses, and explains why it chooses none. Pure. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CompiledFilter, Condition, FilteredNode } from '../../../../protocol/filter/filter.types.ts';
import { ignoresCase, valuesOf } from '../../../../protocol/filter/filter-keys.ts';

/** Milliseconds that matching may block the event loop at a time. */
const TURN_MS = 8;

/** True if the filter chooses this node. */
export function matchNode(filter: CompiledFilter, node: FilteredNode): boolean {
  if (filter.include.length > 0) {
    if (!filter.include.every((condition) => holds(condition, node))) return false;
    if (!filter.excludePrecedence) return true;
  }
  return !filter.exclude.some((conditions) => conditions.every((condition) => holds(condition, node)));
}

/** The nodes that the filter chooses, in their order. Yields to other work in between: a domain may have thousands of nodes. */
export function selectNodes<T extends FilteredNode>(filter: CompiledFilter, nodes: Iterable<T>): Promise<T[]> {
  return passing(nodes, (node) => matchNode(filter, node));
}

async function passing<T>(nodes: Iterable<T>, passes: (node: T) => boolean): Promise<T[]> {
  const chosen: T[] = [];
  let since = performance.now();
  for (const node of nodes) {
    if (passes(node)) chosen.push(node);
    if (performance.now() - since < TURN_MS) continue;
    await nextTurn();
    since = performance.now();
  }
  return chosen;
}

/** Narrows nodes to those that are named. `unknown`: names that no node has. */
export function narrowTo<T extends FilteredNode>(nodes: readonly T[], only: readonly string[]): { items: T[]; unknown: string[] } {
  const names = new Set(only);
  const items = nodes.filter(({ node }) => names.has(node));
  for (const { node } of items) names.delete(node);
  return { items, unknown: [...names] };
}

/** Explains which part of a filter leaves no node. */
export async function whyNone(filter: CompiledFilter, nodes: readonly FilteredNode[]): Promise<string> {
  const among = `${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'}`;
  if (nodes.length === 0) return 'there is no node to choose from';
  const counts: string[] = [];
  let included = nodes;
  for (const condition of filter.include) {
    const matching = await passing(nodes, (node) => holds(condition, node));
    if (matching.length === 0)
      return `none of ${among} matches ${condition.text}${await byName(condition, nodes)}${otherGrammar(condition.text)}`;
    counts.push(`${matching.length} match ${condition.text}`);
    const all = new Set(matching);
    included = included.filter((node) => all.has(node));
  }
  if (included.length === 0) return `of ${among}, ${counts.join(', ')}, but none matches all`;
  return `all ${included.length} of ${among} that are included are also excluded`;
}

/** A hint for a host name filter that matches nodes by name: the two are often confused. */
async function byName(condition: Condition, nodes: readonly FilteredNode[]): Promise<string> {
  if (condition.key.of !== 'fact' || condition.key.name !== 'hostname') return '';
  const named = await passing(nodes, (node) => holds({ ...condition, key: { of: 'name' } }, node));
  return named.length === 0 ? '' : `, but name=${condition.text.slice(condition.text.indexOf('=') + 1)} matches ${named.length}`;
}

/** A hint for syntax of expressions, file names and other tools, which is part of the value here. */
function otherGrammar(text: string): string {
  if (/(^|=)not |\s(and|or)\s/.test(text)) return '; a comma joins conditions, -X excludes, and words in between are part of the value';
  return /[\w-]\*/.test(text) ? '; * repeats the character before it: any text is ".*"' : '';
}

function holds({ key, literals, anyOf }: Condition, node: FilteredNode): boolean {
  const values = valuesOf(node, key);
  const fold = ignoresCase(key) ? (value: string) => value.toLowerCase() : (value: string) => value;
  if (values.some((value) => literals.has(fold(value)))) return true;
  return anyOf.some(({ allOf }) =>
    allOf.every(({ literal, pattern }) => values.some((value) => fold(value) === literal || pattern.matches(value))),
  );
}
