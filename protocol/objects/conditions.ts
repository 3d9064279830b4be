/**
 * `status.conditions` as the Kubernetes API conventions have them: what a kind says of an object, and what the object has said before, make what it
 * says now. Pure. `lastTransitionTime` is when `status` last changed, and nothing else moves it.
 */
import { z } from 'zod';
import { isRecord } from '../encoding/json.ts';

export const CONDITION_STATUSES = ['True', 'False', 'Unknown'] as const;

/** Conditions of one object at most. */
const MAX_CONDITIONS = 16;
const MAX_MESSAGE = 1_024;

export const condition = z.object({
  type: z.string().max(63).describe('What it is about, e.g. Ready.'),
  status: z.enum(CONDITION_STATUSES).describe('True, False or Unknown.'),
  reason: z.string().max(63).describe('One word in CamelCase, for programs.'),
  message: z.string().max(MAX_MESSAGE).describe('The same for people; may be empty.'),
  lastTransitionTime: z.string().max(40).describe('When status last changed.'),
  observedGeneration: z.number().int().nonnegative().optional().describe('The metadata.generation that it speaks of.'),
});
export type Condition = z.infer<typeof condition>;

/** Fields of a status that says conditions. */
export const conditionFields = {
  conditions: z.array(condition).max(MAX_CONDITIONS).optional().describe('What is true of it now, for "kubectl wait".'),
  observedGeneration: z.number().int().nonnegative().optional().describe('The metadata.generation that this status speaks of.'),
};

/** What a kind says of an object. */
export type ConditionNow = Pick<Condition, 'type' | 'status' | 'reason'> & { message?: string | undefined };

/** `True` or `False`, as it is. */
export function truth(holds: boolean): Condition['status'] {
  return holds ? 'True' : 'False';
}

/** A status with its conditions. `before`: the status that was stored until now, `time`: of this moment, as objects write it. */
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

/** The conditions that a status says. */
export function conditionsOf(status: unknown): Condition[] {
  const list = isRecord(status) ? z.array(z.unknown()).safeParse(status['conditions']).data : undefined;
  return (list ?? []).flatMap((one) => condition.safeParse(one).data ?? []);
}
