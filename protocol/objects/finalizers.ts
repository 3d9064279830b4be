/** Finalizers: what holds an object that is being deleted, and the two that the API itself knows. Pure. */

/** The object goes after its dependents; the collector takes this away when none is left that blocks it. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion';
/** The object goes after its dependents have been let go; the collector takes this away then. */
export const ORPHAN_FINALIZER = 'orphan';

export const PROPAGATION_POLICIES = ['Orphan', 'Background', 'Foreground'] as const;
/** What becomes of the dependents of an object that is deleted: they stay, go after it, go before it. */
export type PropagationPolicy = (typeof PROPAGATION_POLICIES)[number];

/** True for a finalizer that waits for dependents, not for somebody outside. */
export function isForDependents(finalizer: string): boolean {
  return finalizer === FOREGROUND_FINALIZER || finalizer === ORPHAN_FINALIZER;
}

/** What holds an object from when its deletion is asked for with a policy. Without one, what it has from before counts. */
export function finalizersAtDeletion(finalizers: readonly string[] | undefined, policy: PropagationPolicy | undefined): string[] {
  const present = finalizers ?? [];
  if (policy === undefined) return [...present];
  const others = present.filter((finalizer) => !isForDependents(finalizer));
  if (policy === 'Background') return others;
  return [...others, policy === 'Foreground' ? FOREGROUND_FINALIZER : ORPHAN_FINALIZER];
}

/** True for a name that says whose finalizer it is, or one that Kubernetes knows. */
export function isFinalizerName(text: string): boolean {
  return text.includes('/') || text === 'kubernetes' || isForDependents(text);
}
