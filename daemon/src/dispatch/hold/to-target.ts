/** Passes orders that were held elsewhere to this node as their target. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ContentStore } from '../content/content.types.ts';
import type { Target } from '../target/target.types.ts';
import type { HoldingOptions } from './hold.types.ts';
import { fetchOffered } from './large-bundles.ts';

/**
 * Errors: as `Target.accept`; TOO_MANY_REQUESTS if the target is too busy to take the order. It then keeps nothing of the order, which
 * has to be brought again.
 */
export function acceptHeld(target: Pick<Target, 'accept'>, content: Pick<ContentStore, 'bytes'>): HoldingOptions['accept'] {
  return async ({ member, user }, { order, bundle, bundleAt }, signal) => {
    const fetchBundle = bundleAt && (() => fetchOffered(content, bundleAt, member, signal));
    const { outcome, code, reason } = (await target.accept({ type: 'member', member, user }, { order, bundle, fetchBundle })).part();
    if (outcome === 'refused' && code === 'TOO_MANY_REQUESTS') throw new DtkdError(code, reason ?? 'it has too much to do now');
  };
}
