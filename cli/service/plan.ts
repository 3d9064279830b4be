/**
 * What a converge, a deletion or an action would do, parsed from the daemon's JSON. Parsed by hand, like everything that the command line
 * reads before its first output: loading a schema library would take longer than the daemon's answer. Pure.
 */
import { DtkdError } from '../../protocol/errors.ts';
import type { ServicePlanAnswer } from '../../protocol/requests/service.ts';
import { listAt, numberAt, textAt, textsAt, valueAt } from '../json.ts';
import type { DifferenceView, ViolationView } from './difference-lines.ts';

const OPERATIONS = ['added', 'changed', 'removed'] as const;

/** Errors: INTERNAL if the answer is not a plan. */
export function planOf(answer: unknown): ServicePlanAnswer {
  const digest = textAt(answer, 'digest');
  const unchanged = numberAt(answer, 'unchanged');
  if (digest === undefined || unchanged === undefined || !Array.isArray(valueAt(answer, 'steps'))) throw notKnown('a plan');
  return {
    digest,
    steps: listAt(answer, 'steps').map(stepOf),
    unchanged,
    differences: listAt(answer, 'differences').map(differenceOf),
    notes: textsAt(answer, 'notes'),
    ...textsOf(answer, 'task', 'commit', 'kept'),
  };
}

/** The violations in the details of an error; invalid ones are left out. */
export function violationsOf(details: unknown): ViolationView[] {
  return listAt(details, 'violations').flatMap((one) => {
    const { kind, where, message, next } = textsOf(one, 'kind', 'where', 'message', 'next');
    if (kind === undefined || where === undefined || message === undefined) return [];
    return [{ kind, where, message, ...(next === undefined ? {} : { next }) }];
  });
}

/** The error for an answer that cannot be parsed. */
export function notKnown(what: string): DtkdError {
  return new DtkdError('INTERNAL', `this dtkd does not understand the answer of the daemon: ${what} was expected`, {
    next: 'Compare "dtkd version" with the version of the daemon.',
  });
}

/** The given fields that are text. */
export function textsOf<K extends string>(value: unknown, ...fields: K[]): { [key in K]?: string } {
  const found: { [key in K]?: string } = {};
  for (const field of fields) {
    const text = textAt(value, field);
    if (text !== undefined) found[field] = text;
  }
  return found;
}

function stepOf(value: unknown): ServicePlanAnswer['steps'][number] {
  const { number, title, ...rest } = textsOf(value, 'number', 'title', 'resource', 'node', 'command', 'act');
  if (number === undefined || title === undefined) throw notKnown('a plan');
  return { number, title, ...rest };
}

function differenceOf(value: unknown): DifferenceView {
  const { kind, what } = textsOf(value, 'kind', 'what');
  const op = OPERATIONS.find((known) => known === valueAt(value, 'op'));
  if (kind === undefined || what === undefined || op === undefined) throw notKnown('a plan');
  const [before, after] = [valueAt(value, 'before'), valueAt(value, 'after')];
  return { kind, what, op, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}
