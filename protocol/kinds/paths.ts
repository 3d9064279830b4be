/**
 * API locations of some kinds, and words in their objects. Separate from the schemas, because the command line loads them at its start,
 * where every file counts.
 */

export const DTKD_GROUP = 'dtkd.dev';

const PLACE = { group: DTKD_GROUP, version: 'v1', scope: 'Namespaced' } as const;
export const SERVICE_INSTANCES = { ...PLACE, plural: 'serviceinstances' } as const;
export const TASKS = { ...PLACE, plural: 'tasks' } as const;
export const ASSEMBLIES = { ...PLACE, plural: 'assemblies' } as const;

/** States of a task and of each of its steps. `skipped`: an earlier step did not succeed, or there was nothing to do. */
export const TASK_STATES = ['created', 'executing', 'succeeded', 'failed', 'cancelled', 'skipped'] as const;
export type TaskState = (typeof TASK_STATES)[number];
