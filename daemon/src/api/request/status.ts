import { DtkdError } from '../../../../protocol/errors.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';

/** One fault in a document: the field, and what was expected. */
export interface Cause {
  reason: string;
  message: string;
  field: string;
}

/** The Kubernetes `Status` object. */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, never>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: Record<string, unknown>;
  code: number;
}

/** The subject of the request, as far as it is known. */
export interface About {
  name?: string;
  group?: string;
  /** The plural of the kind, which Kubernetes puts here. */
  kind?: string;
  uid?: string;
}

/**
 * Maps every error to its answer; nothing else does. Anything but a DtkdError is a bug of ours: none of it leaves the process, and
 * it is passed to `unexpected`.
 */
export function statusOf(error: unknown, about: About, unexpected: (error: unknown) => void): Status {
  if (!(error instanceof DtkdError)) {
    unexpected(error);
    return failure(new DtkdError('INTERNAL', 'something went wrong inside dtkd', { next: 'See the log of the daemon.' }), about);
  }
  if (error.code === 'INTERNAL') unexpected(error);
  return failure(error, about);
}

function failure(error: DtkdError, about: About): Status {
  const { next } = error;
  const details = withCauses(error);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: next === undefined ? error.message : `${error.message}${joint(error.message)}${next}`,
    reason: error.reason,
    details: {
      ...details,
      ...about,
      ...(Array.isArray(details['causes']) ? subjectOf(details, about) : {}),
      code: error.code,
      ...(next === undefined ? {} : { next }),
    },
    code: error.httpStatus,
  };
}

/** Adds a cause where there is none: for Invalid errors `kubectl` shows only the causes, and nothing at all without them. */
function withCauses({ reason, message, details = {} }: DtkdError): Readonly<Record<string, unknown>> {
  if (reason !== 'Invalid' || details['causes'] !== undefined) return details;
  const cause: Cause = { reason: 'FieldValueInvalid', message, field: 'request' };
  return { ...details, causes: [cause] };
}

/** The separator between a message and the next step. A message of several lines, which points into a text, gets a line break. */
function joint(message: string): string {
  if (message.includes('\n')) return '\n';
  return /[.!?]$/.test(message) ? ' ' : '. ';
}

/** The kind and name of the faulty document. Clients refer to it by its kind, and the path of a create has no name. */
function subjectOf({ kind, name }: Readonly<Record<string, unknown>>, about: About): Pick<About, 'kind' | 'name'> {
  const called = typeof kind === 'string' ? kind : kindByPlural(about.group ?? '', about.kind ?? '')?.kind;
  return { ...(called === undefined ? {} : { kind: called }), ...(typeof name === 'string' && name !== '' ? { name } : {}) };
}

/** Answers a request that has succeeded and has no object to show. */
export function success(about: About): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { ...about }, code: 200 };
}
