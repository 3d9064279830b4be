import { DtkdError } from '../../../../protocol/errors.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';

/** One thing that is wrong with a document: which field, and what was expected. */
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

/** What the request was about, as far as it is known. */
export interface About {
  name?: string;
  group?: string;
  /** Plural of the kind, as Kubernetes has it here. */
  kind?: string;
  uid?: string;
}

/**
 * The one mapper from errors to answers. What is no DtkdError is a mistake of ours: nothing of it leaves the process, and `unexpected`
 * is told.
 */
export function statusOf(error: unknown, about: About, unexpected: (error: unknown) => void): Status {
  if (!(error instanceof DtkdError)) {
    unexpected(error);
    return failure(new DtkdError('INTERNAL', 'something went wrong inside dtkd', { next: 'The log of the daemon says what.' }), about);
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

/** Of what is invalid `kubectl` shows the causes alone, and nothing at all where there are none. */
function withCauses({ reason, message, details = {} }: DtkdError): Readonly<Record<string, unknown>> {
  if (reason !== 'Invalid' || details['causes'] !== undefined) return details;
  const cause: Cause = { reason: 'FieldValueInvalid', message, field: 'request' };
  return { ...details, causes: [cause] };
}

/** What stands between a message and the next step: one that points into a text has lines of its own. */
function joint(message: string): string {
  if (message.includes('\n')) return '\n';
  return /[.!?]$/.test(message) ? ' ' : '. ';
}

/** The document that is wrong: clients call it by its kind, and a path that creates names none. */
function subjectOf({ kind, name }: Readonly<Record<string, unknown>>, about: About): Pick<About, 'kind' | 'name'> {
  const called = typeof kind === 'string' ? kind : kindByPlural(about.group ?? '', about.kind ?? '')?.kind;
  return { ...(called === undefined ? {} : { kind: called }), ...(typeof name === 'string' && name !== '' ? { name } : {}) };
}

/** What answers a request that has succeeded and has no object to show. */
export function success(about: About): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { ...about }, code: 200 };
}
