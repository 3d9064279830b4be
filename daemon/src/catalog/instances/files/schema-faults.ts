/** Lists what is wrong with a document, with the path of each field. Pure. */
import type { z } from 'zod';
import { issueText } from '../../../../../protocol/text/issue-text.ts';

export interface SchemaFault {
  path: (string | number)[];
  message: string;
}

/** Faults reported for one document. */
const MAX_FAULTS = 100;
const MAX_KEY = 120;

export function schemaFaults(error: z.ZodError): SchemaFault[] {
  return error.issues.flatMap((issue) => faultsOf(issue, [])).slice(0, MAX_FAULTS);
}

/** For a union, reports the faults of the nearest alternative. */
function faultsOf(issue: z.core.$ZodIssue, base: readonly PropertyKey[]): SchemaFault[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [nearest] = [...issue.errors].sort((a, b) => depthOf(b) - depthOf(a));
    if (nearest !== undefined && depthOf(nearest) > 0) return nearest.flatMap((inner) => faultsOf(inner, path));
    const said = issue.errors.flatMap((inner) => inner.map(({ message }) => message)).at(-1);
    return [{ path: plain(path), message: issueText(said ?? issue.message) }];
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: plain([...path, key]), message: 'there is no such field' }));
  }
  if (issue.code === 'invalid_key') return [{ path: plain(path), message: issue.issues[0]?.message ?? issue.message }];
  return [{ path: plain(path), message: issueText(issue.message) }];
}

function depthOf(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map(({ path, code }) => path.length + (code === 'unrecognized_keys' ? 1 : 0)));
}

function plain(path: readonly PropertyKey[]): (string | number)[] {
  return path.map((part) => (typeof part === 'number' ? part : String(part)));
}

/** A path as text: `components.web.links[0]`. */
export function fieldText(path: readonly (string | number)[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part.slice(0, MAX_KEY)}`)).join('');
  return text.replace(/^\./, '');
}
