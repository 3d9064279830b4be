/**
 * Rows about what is installed, CBOR: the last bundle of each resource (`j/b/OWNER/OBJECT`), and how far each is installed
 * (`j/i/OWNER/OBJECT`).
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../../protocol/encoding/cbor.ts';

export const BUNDLES = 'j/b/';
export const BUNDLES_END = 'j/b0';

const bundleRow = z.object({ version: z.literal(1), revision: z.number().int(), bytes: z.instanceof(Uint8Array) });
const installRow = z.object({
  version: z.literal(1),
  /** The uid of the Resource: a new one of the same name is installed anew. */
  uid: z.string(),
  /** Digest of the files as last written. */
  files: z.string(),
  /** Its install command succeeded, or it has none. */
  installed: z.boolean(),
});
export type InstallRow = z.infer<typeof installRow>;

export function bundleKey(owner: string, object: string): string {
  return `${BUNDLES}${owner}/${object}`;
}

export function installKey(owner: string, object: string): string {
  return `j/i/${owner}/${object}`;
}

export function encodeBundleRow(revision: number, bytes: Uint8Array): Uint8Array {
  return encodeCbor({ version: 1, revision, bytes });
}

/** Errors: FRAME_INVALID. */
export function decodeBundleRow(bytes: Uint8Array): { revision: number; bytes: Uint8Array } {
  return decodeCbor(bytes, bundleRow, 'a row of a resource bundle');
}

export function encodeInstallRow(row: Omit<InstallRow, 'version'>): Uint8Array {
  return encodeCbor({ version: 1, ...row });
}

/** Errors: FRAME_INVALID. */
export function decodeInstallRow(bytes: Uint8Array): InstallRow {
  return decodeCbor(bytes, installRow, 'a row of an installation');
}
