/** Requests below the path of a dtDomain, `…/dtdomains/NAME/…`. */
import { z } from 'zod';

/** Longest lifetime of an invite: a year. */
const MAX_EXPIRES_MS = 366 * 24 * 3600 * 1000;

const USES = 'must be 1 to 1000 machines';
const EXPIRES = 'must be at least a second, and at most a year (366d)';

const replaced = z.string().max(63).optional();

/** `POST join`. */
export const joinRequest = z.strictObject({
  address: z
    .string()
    .min(1, 'the address of a member is empty')
    .max(512)
    .describe('The address of any member: IP, HOST, HOST:PORT, [IPV6]:PORT or a multiaddr.'),
  token: z.string().min(1).max(4096).describe('The invite token.'),
  replace: replaced.describe('The name of a lost machine that this node replaces. The invite must allow it.'),
});

/** `POST leave`. */
export const leaveRequest = z
  .strictObject({ force: z.boolean().optional().describe('Whether to leave even if this loses the root key. Default: false.') })
  .nullish();

/** `POST invites`. */
export const inviteRequest = z
  .strictObject({
    uses: z
      .number()
      .int()
      .min(1, USES)
      .max(1000, USES)
      .optional()
      .describe('The number of machines that may join with the invite. Default: 1.'),
    expires: z
      .number()
      .int()
      .min(1000, EXPIRES)
      .max(MAX_EXPIRES_MS, EXPIRES)
      .optional()
      .describe('The lifetime of the invite, in milliseconds. Default: 24 hours.'),
    replace: replaced.describe('The name of a lost machine that the new one replaces.'),
  })
  .nullish();

/** `POST root/import`, and the answer of `root/export`. */
export const rootKey = z.strictObject({
  rootKey: z.string().min(1).max(512).describe('The root key of the domain. It gives full control of the domain.'),
});

/** `POST root/rotate`, and its answer. */
export const recoveryKey = z.strictObject({
  recoveryKey: z.string().min(1).max(512).describe('The recovery key, kept offline. It can replace the root key.'),
});
