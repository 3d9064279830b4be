/** Chooses the nodes of a request, before it is known what is deployed where. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { propertyKeysOf } from '../../../../protocol/filter/filter-keys.ts';
import { parseNodeFilter } from '../../../../protocol/filter/parse-filter.ts';
import type { DispatchRequestSpec, NodeFilter } from '../../../../protocol/kinds/execution.ts';
import type { NodeView } from '../dispatch.types.ts';
import { narrowTo, selectNodes, whyNone } from '../filter/match-node.ts';
import type { ChosenNodes } from './plan.types.ts';
import { some } from './some.ts';

/** Errors: BAD_REQUEST for a filter that cannot be parsed. */
export async function chooseNodes(request: Pick<DispatchRequestSpec, 'filter' | 'only'>, all: readonly NodeView[]): Promise<ChosenNodes> {
  const { only } = request;
  const filter = hasTexts(request.filter) ? request.filter : undefined;
  const text = filterText(filter, only);
  let chosen = [...all];
  let none: string | undefined;
  if (filter !== undefined) {
    const compiled = await parseNodeFilter(filter, propertyKeysOf(all));
    chosen = await selectNodes(compiled, all);
    if (chosen.length === 0) none = await whyNone(compiled, all);
  }
  const notes: string[] = [];
  if (only !== undefined) {
    const before = chosen.length;
    const { items, unknown } = narrowTo(chosen, only);
    chosen = items;
    if (unknown.length > 0)
      notes.push(`${some(unknown)} ${unknown.length === 1 ? 'is' : 'are'} named, but not among the ${before} nodes to choose from`);
    if (chosen.length === 0) none ??= `none of ${before} nodes is one of those named: ${some(only)}`;
  }
  return { all, chosen: new Set(chosen), filtered: filter !== undefined || only !== undefined, text, none, notes };
}

/** The error for a request that chooses no node. */
export function noNode({ none, text }: ChosenNodes): DtkdError {
  return new DtkdError('NO_MATCH', `${text} matches no node: ${none ?? 'there is none'}`, {
    next: 'Look at names, tags and facts with "dtkd get nodes -o wide", or add --allow-empty if it is fine that nothing runs.',
  });
}

function hasTexts(filter: NodeFilter | undefined): filter is NodeFilter {
  return (filter?.include?.length ?? 0) + (filter?.exclude?.length ?? 0) > 0;
}

/** The filter in words. Does not name flags, since each client has its own. */
function filterText(filter: NodeFilter | undefined, only: readonly string[] | undefined): string {
  const listed = only === undefined ? [] : [`the list of ${only.length} ${only.length === 1 ? 'node' : 'nodes'}`];
  if (filter === undefined) return listed[0] ?? 'this node alone';
  const { include = [], exclude = [] } = filter;
  const taken = include.length === 0 ? 'every node' : `the filter ${include.map((one) => `'${one}'`).join(' and ')}`;
  return [[taken, ...exclude.map((one) => `without '${one}'`)].join(' '), ...listed].join(' within ');
}
