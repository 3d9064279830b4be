/** A client's request to a daemon to make a parcel. */
import { z } from 'zod';
import { codeName, digest } from '../definitions/code.ts';
import type { PeerKey } from '../ids.ts';
import { MAX_MEMBERS } from '../limits.ts';
import { MAX_PARCEL_DOMAINS, MAX_PARCEL_MODULES } from './parcel.ts';

const hex = (digits: number) => z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`));

const head = z.object({
  author: z.custom<PeerKey>((value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)),
  epoch: z.object({ ms: z.number().int().nonnegative(), random: hex(16) }),
  seq: z.number().int().nonnegative(),
  hash: hex(64),
});

/** What the other side is said to have: heads of logs by domain id, and digests of modules. */
const known = z.object({
  heads: z.record(hex(64), z.array(head).max(4 * MAX_MEMBERS)),
  modules: z.array(digest).max(MAX_PARCEL_MODULES),
});

export const parcelRequest = z.object({
  /** Absent: the only domain of the node. */
  domains: z.array(z.string().max(63)).min(1).max(MAX_PARCEL_DOMAINS).optional(),
  /**
   * Leaves out what the other side has (`known`), or what the maker had at the last parcel that was made or imported here at or before
   * `time` (milliseconds since the epoch).
   */
  since: z.union([known, z.object({ time: z.number().int().nonnegative() })]).optional(),
  /** `needed`: modules offered to the members of these domains, and those that waiting orders of this node run. */
  modules: z
    .union([z.enum(['needed', 'all', 'none']), z.array(codeName.or(z.string().max(200))).max(MAX_PARCEL_MODULES)])
    .default('needed'),
  orders: z.enum(['all', 'none']).default('all'),
});
export type ParcelRequest = z.output<typeof parcelRequest>;
export type ParcelRequestInput = z.input<typeof parcelRequest>;

/** Maximum bytes of such a request: enough for the heads of a large domain. */
export const MAX_PARCEL_REQUEST_BYTES = 4 * 1024 * 1024;
