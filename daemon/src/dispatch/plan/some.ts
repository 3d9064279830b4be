/** The most names in one sentence. */
const MAX_NAMED = 12;

/** "a, b and 3 more". */
export function some(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMED).join(', ');
  return names.length > MAX_NAMED ? `${shown} and ${names.length - MAX_NAMED} more` : shown;
}
