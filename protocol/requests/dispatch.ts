/** Requests of the daemon-wide actions `dispatch` and `executions`. Answers and lines are in follow.ts. */
import { z } from 'zod';
import { dispatchRequestSpec } from '../kinds/execution.ts';

const how = {
  dryRun: z.boolean().optional().describe('Whether to only return the plan. Default: false.'),
  follow: z
    .boolean()
    .optional()
    .describe('Whether to answer with lines that report progress until the execution ends or pauses. Default: false.'),
};

/** `POST dispatch`. */
export const dispatchRequest = z.strictObject({
  request: z.strictObject(dispatchRequestSpec.shape).describe('What to run, and where.'),
  ...how,
});
/** `POST executions/ID/resume`. */
export const resumeRequest = z.strictObject({
  pause: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('The pause to end, as `status.pauses` counts them: a later pause is not ended. Default: the present one.'),
});
/** `POST executions/ID/retry`. */
export const retryRequest = z.strictObject(how);
/** `POST executions/ID/abort`. */
export const abortRequest = z.strictObject({
  index: z.number().int().nonnegative().optional().describe('The number in the plan of the only target to abort. Default: all targets.'),
});
/** `POST executions/ID/follow`, and `GET` with the same JSON as `from`. */
export const followOffsets = z.record(z.string().regex(/^[0-9]{1,4}$/), z.number().int().nonnegative());
export const followRequest = z.strictObject({
  from: followOffsets.optional().describe('The offsets in the output to continue from, by the number of the target.'),
});
