import { DtkdError } from '../../../protocol/errors.ts';
import { kindByPlural } from '../../../protocol/kinds/index.ts';

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
  const { next, details = {} } = error;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: next === undefined ? error.message : `${error.message}${/[.!?]$/.test(error.message) ? '' : '.'} ${next}`,
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

/** The document that is wrong: clients call it by its kind, and a path that creates names none. */
function subjectOf({ kind, name }: Readonly<Record<string, unknown>>, about: About): Pick<About, 'kind' | 'name'> {
  const called = typeof kind === 'string' ? kind : kindByPlural(about.group ?? '', about.kind ?? '')?.kind;
  return { ...(called === undefined ? {} : { kind: called }), ...(typeof name === 'string' && name !== '' ? { name } : {}) };
}

export function success(about: About): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { ...about }, code: 200 };
}
