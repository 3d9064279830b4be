/** The effective values of a resource or a type, in the words and the order in which `describe` shows them. Pure. */
import { isRecord, type JsonRecord, listAt, numberAt, recordAt, textAt, textsAt } from '../json.ts';

/** A resource: every property and its origin, its relations in both directions, and its problems. */
export function shownResource(view: JsonRecord): JsonRecord {
  const children = listAt(view, 'children', 'items').map(related);
  const more = (numberAt(view, 'children', 'count') ?? 0) - children.length;
  const properties = Object.entries(recordAt(view, 'properties')).filter(([, value]) => isRecord(value));
  return {
    types: textsAt(view, 'types').join(' < '),
    parents: listAt(view, 'parents').map(related),
    children: [...children, ...(more > 0 ? [`and ${more} more`] : [])],
    deployedTo: textsAt(view, 'deployments'),
    values: properties.map(([name, value]) => `${name} = ${plain(recordOf(value)['value'])}${originOf(value)}`),
    problems: problemsOf(view),
  };
}

/** A type: every property and where it is declared, and its rules. */
export function shownType(view: JsonRecord): JsonRecord {
  return {
    types: textsAt(view, 'types').join(' < '),
    subtypes: textsAt(view, 'subtypes'),
    resources: view['resources'],
    properties: Object.entries(recordAt(view, 'properties')).map(([name, rule]) => `${name}: ${ruleText(recordOf(rule))}`),
    problems: problemsOf(view),
  };
}

function related(item: unknown): string {
  const type = textAt(item, 'type');
  return `${textAt(item, 'name') ?? ''}${type === undefined ? '' : ` (${type})`}`;
}

function originOf(value: unknown): string {
  const origin = textAt(value, 'origin');
  if (origin === 'default') return ' (default)';
  return origin === 'imported' ? ` (from ${textAt(value, 'child') ?? 'a child'})` : '';
}

function ruleText(rule: JsonRecord): string {
  const { type, required, exported, from } = rule;
  const words = [
    required === true ? 'required' : undefined,
    rule['default'] === undefined ? undefined : `default ${plain(rule['default'])}`,
    exported === true ? 'exported' : undefined,
    typeof from === 'string' ? `of ${from}` : undefined,
  ].filter((word) => word !== undefined);
  return `${typeof type === 'string' ? type : 'any'}${words.length === 0 ? '' : ` (${words.join(', ')})`}`;
}

function problemsOf(view: JsonRecord): string[] {
  return listAt(view, 'violations').map((problem) => `${textAt(problem, 'field') ?? ''}: ${textAt(problem, 'message') ?? ''}`);
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function recordOf(value: unknown): JsonRecord {
  return isRecord(value) ? value : {};
}
