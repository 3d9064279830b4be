import { DtkdError } from '../../protocol/errors.ts';

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const WHOLE = /^(\d+(\.\d+)?(ms|[smhdw]))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|[smhdw])/g;

/** Milliseconds of a duration as people write it: `30s`, `24h`, `7d`, `1h30m`. */
export function parseDuration(text: string): number {
  const parts = WHOLE.test(text) ? [...text.matchAll(PART)] : [];
  const total = Math.round(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0));
  if (parts.length > 0 && total > 0 && Number.isSafeInteger(total)) return total;
  throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 40)}" is not a duration`, { next: 'Write it like 30s, 15m, 24h, 7d or 1h30m.' });
}
