/** A span of time in the few characters that Kubernetes uses for ages: `45s`, `3m20s`, `5h`, `2d4h`, `40d`, `3y`. Never negative. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (hours < 192) return two(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? two(years, 'y', days % 365, 'd') : `${years}y`;
}

/** The age of an RFC 3339 time or of milliseconds since the epoch; `<unknown>` if it is neither. */
export function ageOf(time: string | number | undefined, now: number = Date.now()): string {
  const then = typeof time === 'string' ? Date.parse(time) : time;
  return then === undefined || Number.isNaN(then) ? '<unknown>' : formatAge(now - then);
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
