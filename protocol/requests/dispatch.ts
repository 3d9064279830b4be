/** Requests of the daemon-wide actions `dispatch` and `executions`. Answers and lines are in follow.ts. */
import { z } from 'zod';
import { dispatchRequestSpec } from '../kinds/execution.ts';

const how = {
  dryRun: z.boolean().optional().describe('The plan is told, and nothing runs.'),
  follow: z.boolean().optional().describe('The answer is lines: all that it does until it rests.'),
};

/** `POST dispatch`. */
export const dispatchRequest = z.strictObject({
  request: z.strictObject(dispatchRequestSpec.shape).describe('What is to run, and where.'),
  ...how,
});
/** `POST executions/ID/retry`. */
export const retryRequest = z.strictObject(how);
/** `POST executions/ID/abort`. */
export const abortRequest = z.strictObject({
  index: z.number().int().nonnegative().optional().describe('Of this target only, by its number in the plan.'),
});
/** `POST executions/ID/follow`, and `GET` with the same JSON as `from`. */
export const followOffsets = z.record(z.string().regex(/^[0-9]{1,4}$/), z.number().int().nonnegative());
export const followRequest = z.strictObject({
  from: followOffsets.optional().describe('By the number of a target: where to go on in its output.'),
});
