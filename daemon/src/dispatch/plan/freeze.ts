/** Freezes a plan: its header and entries as bytes, its id, and an order for each target. Pure but for the nonce. */
import { randomBytes } from 'node:crypto';
import { encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { PlannedTarget } from '../../../../protocol/kinds/execution.ts';
import { type ExecutionId, MAX_ORDER_BYTES, MAX_TARGETS, planEntry } from '../../../../protocol/orders/order.ts';
import { encodeEntry, encodeHeader, executionIdOf, merkleProofs, merkleRoot } from '../../../../protocol/orders/plan-tree.ts';
import type { Plan } from './plan.types.ts';

/** Bytes of all entries of one plan, which one Execution object holds. */
const MAX_PLAN_BYTES = 16 * 1024 * 1024;

export interface FrozenPlan {
  id: ExecutionId;
  /** CBOR of the header. */
  header: Uint8Array;
  targets: PlannedTarget[];
  /** CBOR of the order for a target, encoded on demand. */
  order(index: number): Uint8Array;
  notAfter: number;
}

export interface FreezeOptions {
  starter: string;
  user: string;
  createdAt: number;
  notAfter: number;
}

/** Errors: TOO_LARGE if there are too many targets, or if all entries or one order would be too large. */
export function freeze(plan: Plan, { starter, user, createdAt, notAfter }: FreezeOptions): FrozenPlan {
  const { parts, timeoutMs } = plan;
  if (parts.length > MAX_TARGETS) {
    throw new DtkdError('TOO_LARGE', `the plan has ${parts.length} targets; one execution has at most ${MAX_TARGETS}`, {
      next: 'Choose fewer nodes, and run it for the others afterwards.',
    });
  }
  // parsed, so that the fields are always in the same order
  const entries = parts.map(({ target: { node, key, domain, starter: own }, work }) =>
    planEntry.parse({ node, key, domain, starter: own, work }),
  );
  const encoded = entries.map(encodeEntry);
  const bytes = encoded.reduce((sum, { length }) => sum + length, 0);
  if (bytes > MAX_PLAN_BYTES) {
    throw new DtkdError(
      'TOO_LARGE',
      `the plan has ${bytes} bytes for all targets, more than the ${MAX_PLAN_BYTES} that one execution may have`,
      {
        next: 'Put large values into a file (dtkd cp) or a module, or choose fewer nodes.',
      },
    );
  }
  const header = encodeHeader({
    version: 1,
    nonce: Uint8Array.from(randomBytes(16)),
    starter,
    user,
    createdAt,
    notBefore: createdAt,
    notAfter,
    timeoutMs,
    count: parts.length,
    root: merkleRoot(encoded),
  });
  const proofs = merkleProofs(encoded);
  const order = (index: number): Uint8Array => encodeCbor({ header, entry: encoded[index], index, proof: proofs[index] });
  const largest = encoded.reduce((at, { length }, index) => (length > (encoded[at]?.length ?? 0) ? index : at), 0);
  const size = order(largest).length;
  if (size > MAX_ORDER_BYTES) {
    throw new DtkdError('TOO_LARGE', `the order for ${entries[largest]?.node} would be ${size} bytes, more than ${MAX_ORDER_BYTES}`, {
      next: 'Put large values into a file (dtkd cp) or a module.',
    });
  }
  const targets = entries.map((entry, index) => ({ ...entry, index, stage: parts[index]?.stage ?? 0 }));
  return { id: executionIdOf(header), header, targets, order, notAfter };
}

/** The orders of a plan frozen earlier, by index; undefined if the targets do not match the header. */
export function ordersAgain(
  header: Uint8Array,
  root: Uint8Array,
  targets: readonly PlannedTarget[],
): ((index: number) => Uint8Array) | undefined {
  const encoded = [...targets].sort((a, b) => a.index - b.index).map((target) => encodeEntry(planEntry.parse(target)));
  if (encoded.length === 0 || Buffer.compare(merkleRoot(encoded), root) !== 0) return undefined;
  const proofs = merkleProofs(encoded);
  return (index) => encodeCbor({ header, entry: encoded[index], index, proof: proofs[index] });
}
