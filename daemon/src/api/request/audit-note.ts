/** Notes about one request for the audit log, and the record made from them. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { displayOf, type Principal, SELF } from '../../../../protocol/rights/principal.ts';
import type { AuditRecord, Decision } from '../../access/access.types.ts';
import { isRemote } from '../views/visibility.ts';

/** Filled in while a request is handled. */
export interface Note {
  verb: string;
  /** `GROUP/PLURAL/NAMESPACE/NAME`. */
  what: string;
  /** True if the request changes something and is not a dry run. */
  change: boolean;
  /** Why access was allowed or denied. */
  because?: string;
  /** What a request that makes several changes has changed so far. */
  done?: string;
  /** True if the caller was told that nothing is there because it may not know of it. */
  hidden?: boolean;
}

export function noteDecision(note: Note, decision: Decision): void {
  note.because = decision.allowed ? decision.because : decision.reason;
}

/** The audit record of a request, if it needs one: changes by anybody, and every request of a user of another node. */
export function recordOf(principal: Principal, note: Note, status: number, error: unknown): AuditRecord | undefined {
  const remote = isRemote(principal);
  if (!remote && !note.change) return undefined;
  const reason = error instanceof DtkdError ? error.code : String(status);
  const { outcome, because } = judged(note, status, reason);
  // a failed request changed nothing
  if (!remote && outcome === 'failed' && note.done === undefined) return undefined;
  return {
    who: displayOf(principal),
    ...(principal.type === 'user' && principal.home !== SELF ? { home: principal.home } : {}),
    verb: note.verb,
    what: note.what,
    outcome,
    because,
  };
}

function judged(note: Note, status: number, reason: string): Pick<AuditRecord, 'outcome' | 'because'> {
  if (status >= 400 && note.done !== undefined) return { outcome: 'failed', because: `${note.done}, then ${reason}` };
  if (note.hidden === true || status === 401 || status === 403) return { outcome: 'denied', because: note.because ?? reason };
  return status >= 400 ? { outcome: 'failed', because: reason } : { outcome: 'allowed', because: note.because ?? reason };
}
