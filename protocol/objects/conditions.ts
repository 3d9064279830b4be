/**
 * `status.conditions` by the Kubernetes API conventions: computes an object's conditions from what its kind says now and what they were
 * before. Pure. `lastTransitionTime` moves only when `status` changes.
 */
import { z } from 'zod';
import { isRecord } from '../encoding/json.ts';

export const CONDITION_STATUSES = ['True', 'False', 'Unknown'] as const;

/** Maximum number of conditions per object. */
const MAX_CONDITIONS = 16;
const MAX_MESSAGE = 1_024;

export const condition = z.object({
  type: z.string().max(63).describe('The type of the condition, such as Ready.'),
  status: z.enum(CONDITION_STATUSES).describe('The status of the condition: True, False or Unknown.'),
  reason: z.string().max(63).describe('The reason for the status: one CamelCase word, for programs.'),
  message: z.string().max(MAX_MESSAGE).describe('A message that explains the status. May be empty.'),
  lastTransitionTime: z.string().max(40).describe('When the status last changed, in RFC 3339.'),
  observedGeneration: z.number().int().nonnegative().optional().describe('The metadata.generation that the condition was set for.'),
});
export type Condition = z.infer<typeof condition>;

/** Fields of a status with conditions. */
export const conditionFields = {
  conditions: z.array(condition).max(MAX_CONDITIONS).optional().describe('The current conditions, which "kubectl wait" reads.'),
  observedGeneration: z.number().int().nonnegative().optional().describe('The metadata.generation that this status was set for.'),
};

/** A condition as a kind reports it now. */
export type ConditionNow = Pick<Condition, 'type' | 'status' | 'reason'> & { message?: string | undefined };

/** Converts a boolean to `True` or `False`. */
export function truth(holds: boolean): Condition['status'] {
  return holds ? 'True' : 'False';
}

/** Returns a status with its conditions. `before`: the status stored until now. `time`: the current time, as objects write it. */
export function withConditions(
  status: unknown,
  before: unknown,
  now: readonly ConditionNow[],
  { generation, time }: { generation: number; time: string },
): Record<string, unknown> {
  const { conditions: _stale, observedGeneration: _old, ...said } = isRecord(status) ? status : {};
  const known = conditionsOf(before);
  const conditions = now.map(({ type, status: state, reason, message = '' }): Condition => {
    const earlier = known.find((one) => one.type === type);
    return {
      type,
      status: state,
      reason,
      message: message.slice(0, MAX_MESSAGE),
      lastTransitionTime: earlier?.status === state ? earlier.lastTransitionTime : time,
      observedGeneration: generation,
    };
  });
  return { ...said, observedGeneration: generation, conditions };
}

/** Returns the conditions of a status. */
export function conditionsOf(status: unknown): Condition[] {
  const list = isRecord(status) ? z.array(z.unknown()).safeParse(status['conditions']).data : undefined;
  return (list ?? []).flatMap((one) => condition.safeParse(one).data ?? []);
}
