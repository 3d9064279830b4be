/**
 * `/dtkd/dispatch`: one request on a stream, answered by events until `end`. Frames are CBOR. The asked node believes the connection about which
 * node asks, and that node about who its user is; it decides by itself what that user may.
 */
import { z } from 'zod';
import { objectName } from '../objects/objects.ts';
import { uid } from '../rights/principal.ts';
import { MAX_BUNDLE_BYTES } from './bundle.ts';
import { executionId, MAX_ORDER_BYTES } from './order.ts';
import { part } from './outcome.ts';

export const DISPATCH_PROTOCOL = '/dtkd/dispatch/1.0.0';
export const MAX_DISPATCH_FRAME_BYTES = MAX_BUNDLE_BYTES + MAX_ORDER_BYTES + 16 * 1024;
/** Bytes of records in one `records` event at most. */
export const MAX_RECORDS_BYTES = 256 * 1024;

/** The user of the asking node; absent: its operator, who has no rights elsewhere. */
const user = z.object({ name: objectName, uid }).optional();
const index = z.number().int().nonnegative();
const offset = z.number().int().nonnegative();
/** At least six digits of an id. */
export const executionIdStart = z.string().regex(/^[0-9a-f]{6,64}$/, 'must be the id of an execution, or at least six digits of it');

export const dispatchRequest = z.discriminatedUnion('type', [
  /** Accept, run, and tell. `order` is CBOR of `order`; `bundle` CBOR of `signedBundle`. An order that is known already is followed from `offset`. */
  z.object({ type: z.literal('order'), user, order: z.instanceof(Uint8Array), bundle: z.instanceof(Uint8Array).optional(), offset }),
  /**
   * Make an order ready that is to start soon, and start nothing. Answered by `prepared`; then `dispatchGo` on the same stream starts it, from where on it is answered as `order`, and
   * the end of the stream lets go of it. Any other answer: it is to be brought when it is its turn.
   */
  z.object({ type: z.literal('prepare'), user, order: z.instanceof(Uint8Array), bundle: z.instanceof(Uint8Array).optional() }),
  /** Follow a part (READ on its resource), from an offset; without `follow` only what there is now. */
  z.object({ type: z.literal('attach'), user, id: executionId, index, offset, follow: z.boolean() }),
  /** End parts of an execution (EXECUTE on their resources): that one, or all of this target. Answered by `part` for each. */
  z.object({ type: z.literal('abort'), user, id: executionId, index: index.optional() }),
  /** Parts of an execution that this user may READ, by its id or the beginning of it. Answered by `part` for each. */
  z.object({ type: z.literal('find'), user, id: executionIdStart }),
]);
export type DispatchRequest = z.infer<typeof dispatchRequest>;

/** The word on which a prepared order starts: the second frame of its stream. */
export const dispatchGo = z.object({ type: z.literal('go') });
export type DispatchGo = z.infer<typeof dispatchGo>;
/** Whoever waits for that word waits for many: no more of it is taken in than this. */
export const MAX_GO_BYTES = 1_024;

export const dispatchEvent = z.discriminatedUnion('type', [
  /**
   * How the part stands, first of all and after each change. In answers to `find` a target adds the order as it came, which proves that the part is its own (the
   * entry names its key); so does a starter (the entry names its key as well), or the plan's header alone. The word of the target counts for more.
   */
  z.object({
    type: z.literal('part'),
    id: executionId,
    part,
    order: z.instanceof(Uint8Array).optional(),
    header: z.instanceof(Uint8Array).optional(),
  }),
  /** Output from `offset` on; the next offset is `offset` + the length of `records`. */
  z.object({ type: z.literal('records'), offset, records: z.instanceof(Uint8Array) }),
  /** Nothing of this is known here (attach, abort, find), or it was not taken: for an order, the part that follows says which outcome that is. */
  z.object({ type: z.literal('error'), code: z.string().max(64), message: z.string().max(1_024), next: z.string().max(512).optional() }),
  /** The order is ready, and starts on the word. */
  z.object({ type: z.literal('prepared') }),
  z.object({ type: z.literal('end') }),
]);
export type DispatchEvent = z.infer<typeof dispatchEvent>;

/** `/dtkd/content`: bytes by their digest, from an offset on, for those who may have them: modules for members, files for the targets of their order. */
export const CONTENT_PROTOCOL = '/dtkd/content/1.0.0';
/** `length`: no more than that. Who does not know of it goes on to the end, and the asker closes the stream. */
export const contentRequest = z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/), offset, length: offset.optional() });
/** The first frame of the answer; then the bytes in frames of at most 64 KiB. `size` -1: not here. */
export const contentHead = z.object({ size: z.number().int().min(-1) });
