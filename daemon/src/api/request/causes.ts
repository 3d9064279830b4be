/** What is wrong with a document, field by field, in words for people. Pure. */
import type { z } from 'zod';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { issueText } from '../../../../protocol/text/issue-text.ts';
import type { Cause } from './status.ts';

/** The error for a document whose fields are wrong. */
export function invalid(kind: Kind, name: string, causes: readonly Cause[]): DtkdError {
  const list = causes.slice(0, 5).map((cause) => `${cause.field}: ${cause.message}`);
  const more = causes.length > 5 ? ` and ${causes.length - 5} more` : '';
  return new DtkdError('INVALID', `${kind.kind} "${name}" is invalid: ${list.join('; ')}${more}`, {
    details: { kind: kind.kind, name, causes: causes.slice(0, 100) },
  });
}

/** Converts the schema's issues into causes: the field, and what was expected there. */
export function causesOf(error: z.ZodError, prefix: readonly PropertyKey[]): Cause[] {
  return error.issues.map((issue) => {
    const path = [...prefix, ...issue.path];
    return { reason: reasonOf(issue), message: messageOf(issue), field: fieldText(path) || '(root)' };
  });
}

function reasonOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_type' && issue.input === undefined && /received undefined/.test(issue.message)
    ? 'FieldValueRequired'
    : 'FieldValueInvalid';
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union') {
    const branches = issue.errors.map((branch) => branch.map((inner) => messageOf(inner)).join(', ')).filter((text) => text !== '');
    return branches.length > 0 ? [...new Set(branches)].join(' or ') : issue.message;
  }
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element') return issue.issues.map((inner) => messageOf(inner)).join(', ');
  const bound = boundOf(issue);
  if (bound !== undefined) return bound;
  return issueText(issue.message);
}

/** Units for the sizes of values that are not numbers. */
const UNITS: Readonly<Record<string, string>> = { string: ' characters', array: ' entries', object: ' entries' };

/** The text for a value outside its bounds, unless the schema has its own words for it. */
function boundOf(issue: z.core.$ZodIssue): string | undefined {
  if (issue.code === 'too_big' && issue.message.startsWith('Too big'))
    return `must be ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${UNITS[issue.origin] ?? ''}`;
  if (issue.code === 'too_small' && issue.message.startsWith('Too small'))
    return `must be ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${UNITS[issue.origin] ?? ''}`;
  return undefined;
}

function fieldText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}
