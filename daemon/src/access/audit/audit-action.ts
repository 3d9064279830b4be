/** The daemon action behind `dtkd audit`: shows and verifies the audit log. Only for the operator. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import { type AuditLog, has, type LineFilter } from './audit.ts';
import type { RecordLine } from './audit-line.ts';
import type { Verdict, Witness } from './chain.ts';
import type { Testimony } from './witnesses.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
/** Lines buffered for a client that follows; a slower client misses the oldest of them, as the numbers of the lines show. */
const MAX_BEHIND = 1_000;

export interface AuditActionPorts {
  audit: Pick<AuditLog, 'newest' | 'onLine' | 'verify'>;
  /** Asks the peers and this node's own database for heads. */
  gather: () => Promise<{ witnesses: Witness[]; testimonies: Testimony[] }>;
}

export interface AuditRequest {
  principal: Principal;
  rest: readonly string[];
  method: string;
  query: URLSearchParams;
  signal: AbortSignal;
}

/** The answer of `audit/verify`. */
export interface AuditReport extends Verdict {
  witnesses: Testimony[];
}

/** Creates the action: GET `audit/show?limit&who&verb&what&follow` and GET `audit/verify`. */
export function auditAction({ audit, gather }: AuditActionPorts): (request: AuditRequest) => Promise<unknown> {
  let verifying: Promise<AuditReport> | undefined;
  const verify = async (): Promise<AuditReport> => {
    const { witnesses, testimonies } = await gather();
    return { ...(await audit.verify(witnesses)), witnesses: testimonies };
  };
  return async ({ principal, rest, method, query, signal }) => {
    if (principal.type !== 'operator') throw new DtkdError('FORBIDDEN', "only this node's operator may look into the audit log");
    if (method !== 'GET') throw new DtkdError('METHOD_NOT_ALLOWED', 'the audit log can only be read', { next: 'Use GET.' });
    const [what = 'show'] = rest;
    if (what === 'verify') {
      // One verification at a time: requests that come meanwhile share its result.
      verifying ??= verify().finally(() => {
        verifying = undefined;
      });
      return verifying;
    }
    if (what !== 'show')
      throw new DtkdError('NOT_FOUND', 'the audit log can be shown and verified', { next: 'Ask for audit/show or audit/verify.' });
    const filter = filterOf(query);
    const limit = limitOf(query.get('limit'));
    if (query.get('follow') === 'true') return { stream: follow(audit, filter, limit, signal) };
    return { items: await newest(audit, filter, limit, signal) };
  };
}

function filterOf(query: URLSearchParams): LineFilter {
  const text = (name: string): string | undefined => query.get(name) || undefined;
  return { who: text('who'), verb: text('verb'), what: text('what') };
}

function limitOf(text: string | null): number {
  if (text === null || text === '') return DEFAULT_LIMIT;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 0 && limit <= MAX_LIMIT) return limit;
  throw new DtkdError('BAD_REQUEST', `limit must be a whole number up to ${MAX_LIMIT}`);
}

/** The newest lines, oldest of them first. */
async function newest(audit: AuditActionPorts['audit'], filter: LineFilter, limit: number, signal: AbortSignal): Promise<RecordLine[]> {
  const lines: RecordLine[] = [];
  if (limit === 0) return lines;
  for await (const line of audit.newest(filter)) {
    lines.push(line);
    if (lines.length >= limit || signal.aborted) break;
  }
  return lines.reverse();
}

async function* follow(
  audit: AuditActionPorts['audit'],
  filter: LineFilter,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<RecordLine> {
  const waiting: RecordLine[] = [];
  let wake = Promise.withResolvers<void>();
  let shown = 0;
  const unsubscribe = audit.onLine((line) => {
    if (!has(line.who, filter.who) || !has(line.verb, filter.verb) || !has(line.what, filter.what)) return;
    if (waiting.length >= MAX_BEHIND) waiting.shift();
    waiting.push(line);
    wake.resolve();
  });
  const end = (): void => wake.resolve();
  signal.addEventListener('abort', end, { once: true });
  try {
    for (const line of await newest(audit, filter, limit, signal)) {
      shown = line.seq;
      yield line;
    }
    while (!signal.aborted) {
      for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) if (line.seq > shown) yield line;
      await wake.promise;
      wake = Promise.withResolvers<void>();
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', end);
  }
}
