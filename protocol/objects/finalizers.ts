/** Finalizers: what holds back an object that is being deleted, and the two that the API itself handles. Pure. */

/** The object is removed after its dependents. The garbage collector removes this finalizer when no blocking dependent is left. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion';
/** The object is removed after its dependents were released. The garbage collector then removes this finalizer. */
export const ORPHAN_FINALIZER = 'orphan';

export const PROPAGATION_POLICIES = ['Orphan', 'Background', 'Foreground'] as const;
/** What happens to the dependents of a deleted object: they stay, are removed after it, or before it. */
export type PropagationPolicy = (typeof PROPAGATION_POLICIES)[number];

/** True for a finalizer that waits for dependents rather than for an outside party. */
export function isForDependents(finalizer: string): boolean {
  return finalizer === FOREGROUND_FINALIZER || finalizer === ORPHAN_FINALIZER;
}

/** Returns an object's finalizers once its deletion is requested with a policy. Without a policy, they stay as they are. */
export function finalizersAtDeletion(finalizers: readonly string[] | undefined, policy: PropagationPolicy | undefined): string[] {
  const present = finalizers ?? [];
  if (policy === undefined) return [...present];
  const others = present.filter((finalizer) => !isForDependents(finalizer));
  if (policy === 'Background') return others;
  return [...others, policy === 'Foreground' ? FOREGROUND_FINALIZER : ORPHAN_FINALIZER];
}

/** True for a name that is qualified by its owner, or that Kubernetes knows. */
export function isFinalizerName(text: string): boolean {
  return text.includes('/') || text === 'kubernetes' || isForDependents(text);
}
