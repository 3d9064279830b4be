/**
 * `/dtkd/dispatch`: one request per stream, answered by events until `end`. Frames are CBOR. The asked node takes the identity of the
 * asking node from the connection, and that node's word for who its user is; it decides by itself what that user may do.
 */
import { z } from 'zod';
import { objectName } from '../objects/objects.ts';
import { uid } from '../rights/principal.ts';
import { MAX_BUNDLE_BYTES } from './bundle.ts';
import { executionId, MAX_ORDER_BYTES } from './order.ts';
import { part } from './outcome.ts';

export const DISPATCH_PROTOCOL = '/dtkd/dispatch/1.0.0';
export const MAX_DISPATCH_FRAME_BYTES = MAX_BUNDLE_BYTES + MAX_ORDER_BYTES + 16 * 1024;
/** Maximum bytes of records in one `records` event. */
export const MAX_RECORDS_BYTES = 256 * 1024;

/** The user of the asking node. Absent: its operator, who has no rights elsewhere. */
const user = z.object({ name: objectName, uid }).optional();
const index = z.number().int().nonnegative();
const offset = z.number().int().nonnegative();
/** The beginning of an execution's id: at least six digits. */
export const executionIdStart = z.string().regex(/^[0-9a-f]{6,64}$/, 'must be the id of an execution, or at least six digits of it');

export const dispatchRequest = z.discriminatedUnion('type', [
  /**
   * Accept and run an order, and report. `order` is the CBOR of `order`, `bundle` that of `signedBundle`. An order that is known already
   * is followed from `offset`.
   */
  z.object({ type: z.literal('order'), user, order: z.instanceof(Uint8Array), bundle: z.instanceof(Uint8Array).optional(), offset }),
  /**
   * Prepare an order that is to start soon, without starting it. Answered by `prepared`; then `dispatchGo` on the same stream starts it,
   * after which it is answered like `order`. The end of the stream releases it. After any other answer, the order must be sent again when
   * its turn comes.
   */
  z.object({ type: z.literal('prepare'), user, order: z.instanceof(Uint8Array), bundle: z.instanceof(Uint8Array).optional() }),
  /** Follow a part from an offset (requires READ on its resource). Without `follow`, return only what there is now. */
  z.object({ type: z.literal('attach'), user, id: executionId, index, offset, follow: z.boolean() }),
  /** Abort parts of an execution (requires EXECUTE on their resources): one part, or all at this target. Answered by a `part` for each. */
  z.object({ type: z.literal('abort'), user, id: executionId, index: index.optional() }),
  /** Find the parts of an execution that this user may READ, by its id or the beginning of it. Answered by a `part` for each. */
  z.object({ type: z.literal('find'), user, id: executionIdStart }),
]);
export type DispatchRequest = z.infer<typeof dispatchRequest>;

/** The second frame of a `prepare` stream, which starts the prepared order. */
export const dispatchGo = z.object({ type: z.literal('go') });
export type DispatchGo = z.infer<typeof dispatchGo>;
/** Maximum bytes of that frame. Small, because a target may wait for many of them. */
export const MAX_GO_BYTES = 1_024;

export const dispatchEvent = z.discriminatedUnion('type', [
  /**
   * The state of the part, first and after each change. In answers to `find`, a target adds the order as it arrived, which proves that
   * the part is its own (the entry names its key). A starter adds the order, too (the entry also names its key), or only the plan's
   * header. The target's word counts for more.
   */
  z.object({
    type: z.literal('part'),
    id: executionId,
    part,
    order: z.instanceof(Uint8Array).optional(),
    header: z.instanceof(Uint8Array).optional(),
  }),
  /** Output starting at `offset`. The next offset is `offset` plus the length of `records`. */
  z.object({ type: z.literal('records'), offset, records: z.instanceof(Uint8Array) }),
  /**
   * The part or execution is unknown here (attach, abort, find), or the order was not accepted: then the `part` that follows gives its
   * outcome.
   */
  z.object({ type: z.literal('error'), code: z.string().max(64), message: z.string().max(1_024), next: z.string().max(512).optional() }),
  /** The order is ready, and starts on `go`. */
  z.object({ type: z.literal('prepared') }),
  z.object({ type: z.literal('end') }),
]);
export type DispatchEvent = z.infer<typeof dispatchEvent>;

/**
 * `/dtkd/content`: bytes by their digest, starting at an offset, for those who may have them: modules for members, files for the targets
 * of their order.
 */
export const CONTENT_PROTOCOL = '/dtkd/content/1.0.0';
/** `length` limits the answer. A node that does not know the field sends everything up to the end, and the asker closes the stream. */
export const contentRequest = z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/), offset, length: offset.optional() });
/** The first frame of the answer; the bytes follow in frames of at most 64 KiB. `size` -1: not available here. */
export const contentHead = z.object({ size: z.number().int().min(-1) });
