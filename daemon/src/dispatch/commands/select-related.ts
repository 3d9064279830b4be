/** Selects the related resources that a dispatch runs over, and their order. Pure, except that the pattern library is loaded on demand. */
import type { Dispatch } from '../../../../protocol/definitions/commands.ts';
import { bareType } from '../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { compilePattern } from '../../../../protocol/filter/pattern.ts';
import type { BundledResource } from '../../../../protocol/orders/bundle.ts';
import { compareText } from '../../../../protocol/text/text-order.ts';
import type { PlanContext } from './commands.types.ts';

/**
 * Returns the resources in groups that run one after another. Without `sort` all are one group. With `sort`, resources with equal values
 * form a group: numbers (also numeric texts) in numeric order, then texts; resources without a value come last, even if reversed. Each
 * group is sorted by type and name.
 * A type pattern matches the resource's type or any type that it extends, ignoring case, each with or without the service instance in its
 * name. Errors: INVALID for an invalid pattern.
 */
export async function selectRelated(
  context: Pick<PlanContext, 'related' | 'chainOf'>,
  resource: BundledResource,
  dispatch: Pick<Dispatch, 'over' | 'type' | 'name' | 'sort' | 'reverse'>,
): Promise<BundledResource[][]> {
  const type = await patternOf(dispatch.type, 'type', true);
  const name = await patternOf(dispatch.name, 'name', false);
  const matching = context
    .related(resource, dispatch.over)
    .filter((one) => name === undefined || one.name === dispatch.name || name(one.name))
    .filter((one) => type === undefined || typeNames(context, one).some((each) => type(each)));
  return groupsOf([...matching].sort(byTypeAndName), dispatch.sort, dispatch.reverse === true);
}

function typeNames(context: Pick<PlanContext, 'chainOf'>, { type }: BundledResource): string[] {
  const names = [type, ...context.chainOf(type).map(({ name }) => name)];
  return [...new Set([...names, ...names.map(bareType)])];
}

async function patternOf(source: string | undefined, field: string, ignoreCase: boolean): Promise<((text: string) => boolean) | undefined> {
  if (source === undefined) return undefined;
  const pattern = await compilePattern(source, { ignoreCase });
  if ('error' in pattern) throw new DtkdError('INVALID', `the ${field} of a dispatch, "${source}", ${pattern.error}`);
  return (text) => pattern.matches(text);
}

function groupsOf(resources: readonly BundledResource[], sort: string | undefined, reverse: boolean): BundledResource[][] {
  if (sort === undefined) return resources.length === 0 ? [] : [[...resources]];
  const keyed = resources.map((resource) => ({ resource, rank: rankOf(resource, sort) }));
  keyed.sort((a, b) => compareRanks(a.rank, b.rank, reverse));
  const groups: BundledResource[][] = [];
  let last: Rank | undefined;
  for (const { resource, rank } of keyed) {
    const group = groups.at(-1);
    if (group !== undefined && last !== undefined && compareRanks(last, rank, reverse) === 0) group.push(resource);
    else groups.push([resource]);
    last = rank;
  }
  return groups;
}

type Rank = { of: 'number'; value: number } | { of: 'text'; value: string } | { of: 'none' };

function rankOf({ properties }: BundledResource, sort: string): Rank {
  const value = Object.hasOwn(properties, sort) ? properties[sort] : undefined;
  if (value === undefined || value === null || value === '') return { of: 'none' };
  if (typeof value === 'object') return { of: 'text', value: JSON.stringify(value) };
  const number = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  return Number.isNaN(number) ? { of: 'text', value: String(value) } : { of: 'number', value: number };
}

function compareRanks(a: Rank, b: Rank, reverse: boolean): number {
  if (a.of === 'none' || b.of === 'none') return Number(a.of === 'none') - Number(b.of === 'none');
  const by = compareValues(a, b);
  return reverse ? -by : by;
}

function compareValues(a: Exclude<Rank, { of: 'none' }>, b: Exclude<Rank, { of: 'none' }>): number {
  if (a.of === 'number') return b.of === 'number' ? Math.sign(a.value - b.value) || 0 : -1;
  return b.of === 'number' ? 1 : compareText(a.value, b.value);
}

function byTypeAndName(a: BundledResource, b: BundledResource): number {
  return compareText(a.type, b.type) || compareText(a.name, b.name) || compareText(a.object, b.object);
}
