/** Signs an order as its starter and seals it to its target, and opens it again. Pure except for the ports that sign and unseal. */
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { parsePeerKey } from '../../../../protocol/ids.ts';
import { hashHex, verifySignature } from '../../../../protocol/keys/signing.ts';
import {
  type BundleAt,
  type Cancellation,
  type Deposit,
  type HeldOrder,
  heldOrder,
  MAX_SEALED_BYTES,
  sealedOrder,
} from '../../../../protocol/orders/hold.ts';
import { order as orderSchema } from '../../../../protocol/orders/order.ts';
import { executionIdOf } from '../../../../protocol/orders/plan-tree.ts';
import type { Members } from '../dispatch.types.ts';
import type { HeldName } from './held.ts';

/**
 * Signs and seals an order. A bundle that does not fit is left out, and offered to be fetched. Errors: TOO_LARGE, KEY_WRONG, and those of
 * `offer`.
 */
export async function boxOrder(
  members: Pick<Members, 'sign'>,
  { domain, target }: Pick<HeldName, 'domain' | 'target'>,
  held: HeldOrder,
  offer?: (bundle: Uint8Array) => Promise<BundleAt>,
): Promise<Uint8Array> {
  // Loaded on demand: few need the curve, and it takes time to load.
  const { seal } = await import('../../../../protocol/keys/sealing.ts');
  const box = (content: HeldOrder): Uint8Array | undefined => {
    const body = encodeCbor(content);
    if (body.length > MAX_SEALED_BYTES) return undefined;
    const sealed = seal(target, encodeCbor({ body, signature: members.sign(domain, 'order', body) }));
    return sealed.length <= MAX_SEALED_BYTES ? sealed : undefined;
  };
  const { bundle, ...bare } = held;
  const whole = box(held);
  if (whole !== undefined) return whole;
  if (bundle !== undefined && bare.order.length < MAX_SEALED_BYTES) {
    const sealed = box(offer === undefined ? bare : { ...bare, bundleAt: await offer(bundle) });
    if (sealed !== undefined) return sealed;
  }
  throw new DtkdError('TOO_LARGE', `an order that is held for its target has at most ${MAX_SEALED_BYTES} bytes`, {
    next: 'Give fewer or shorter options, or try again when the target is connected.',
  });
}

/** Opens an order that is sealed to this node. Errors: SIGNATURE_INVALID, FRAME_INVALID, ORDER_INVALID. */
export async function unboxOrder(members: Pick<Members, 'unseal'>, name: HeldName, sealed: Uint8Array): Promise<HeldOrder> {
  const opened = await members.unseal(name.domain, sealed);
  if (opened === undefined) throw new DtkdError('SIGNATURE_INVALID', 'the order was not sealed to this node, or was altered');
  const { body, signature } = decodeCbor(opened, sealedOrder, 'a sealed order');
  if (!verifySignature(parsePeerKey(name.starter), 'order', body, signature)) {
    throw new DtkdError('SIGNATURE_INVALID', 'the order is not from the node that it names as its starter');
  }
  const held = decodeCbor(body, heldOrder, 'a held order');
  const { header, index } = decodeCbor(held.order, orderSchema, 'an order');
  if (executionIdOf(header) !== name.id || index !== name.index)
    throw new DtkdError('ORDER_INVALID', 'the order is not the one that its id names');
  return held;
}

/** The bytes that a starter signs to let others carry its order. */
export function depositBytes({ domain, target, id, index }: HeldName, notAfter: number, sealed: Uint8Array): Uint8Array {
  const said: Deposit = { hold: true, domain, target, id, index, notAfter, sealed: hashHex(sealed) };
  return encodeCbor(said);
}

export function isDepositedBy(name: HeldName, notAfter: number, sealed: Uint8Array, signature: Uint8Array): boolean {
  return verifySignature(parsePeerKey(name.starter), 'order', depositBytes(name, notAfter, sealed), signature);
}

/** The bytes that a starter signs to cancel an order. */
export function cancellationBytes({ id, index, target }: Pick<HeldName, 'id' | 'index' | 'target'>): Uint8Array {
  const said: Cancellation = { cancel: true, id, index, target };
  return encodeCbor(said);
}

export function isCancelledBy(name: HeldName, signature: Uint8Array): boolean {
  return verifySignature(parsePeerKey(name.starter), 'order', cancellationBytes(name), signature);
}
