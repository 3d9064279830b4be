/** What is known of one request for the audit log, and the line that comes of it. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { displayOf, type Principal, SELF } from '../../../../protocol/rights/principal.ts';
import type { AuditRecord, Decision } from '../../access/access.types.ts';
import { isRemote } from '../views/visibility.ts';

/** Filled while a request is handled. */
export interface Note {
  verb: string;
  /** `GROUP/PLURAL/NAMESPACE/NAME`. */
  what: string;
  /** True if the request is to change something, and no dry run. */
  change: boolean;
  /** What the answer rests on. */
  because?: string;
  /** What was changed so far, of a request that changes one thing after the other. */
  done?: string;
  /** True if somebody was told that there is nothing, because they may not know. */
  hidden?: boolean;
}

export function noteDecision(note: Note, decision: Decision): void {
  note.because = decision.allowed ? decision.because : decision.reason;
}

/** The line of a request, if it is one for the audit log: changes by anybody, and whatever a user of another node asked. */
export function recordOf(principal: Principal, note: Note, status: number, error: unknown): AuditRecord | undefined {
  const remote = isRemote(principal);
  if (!remote && !note.change) return undefined;
  const reason = error instanceof DtkdError ? error.code : String(status);
  const { outcome, because } = judged(note, status, reason);
  // what came to nothing changed nothing
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
