/**
 * Rows about what is installed, CBOR: the last bundle of each resource (`j/b/OWNER/OBJECT`), how far each is installed
 * (`j/i/OWNER/OBJECT`), and the newest forgotten bundle of each owner (`j/o/OWNER`).
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../../protocol/encoding/cbor.ts';
import type { Kv } from '../../../store/kv.ts';

const BUNDLES = 'j/b/';
const BUNDLES_END = 'j/b0';
const INSTALLS = 'j/i/';
const INSTALLS_END = 'j/i0';
const FLOORS = 'j/o/';
const FLOORS_END = 'j/o0';
/** Rows read at a time: a bundle may have 1 MiB. */
const PAGE = 64;

const bundleRow = z.object({ version: z.literal(1), revision: z.number().int(), bytes: z.instanceof(Uint8Array) });
const installRow = z.object({
  version: z.literal(1),
  /** The uid of the Resource: a new one of the same name is installed anew. */
  uid: z.string(),
  /** Digest of the files as last written. */
  files: z.string(),
  /** Its install command succeeded, or it has none. */
  installed: z.boolean(),
  /** SHA-256 of each of those files, by path. */
  written: z.record(z.string(), z.string()).optional(),
  /** Milliseconds since the epoch when its `delete` command succeeded, and the names by which its directory is found. */
  down: z.object({ at: z.number(), model: z.string(), type: z.string(), name: z.string() }).optional(),
});
const floorRow = z.object({ version: z.literal(1), revision: z.number().int() });
export type InstallRow = z.infer<typeof installRow>;

export function bundleKey(owner: string, object: string): string {
  return `${BUNDLES}${owner}/${object}`;
}

export function installKey(owner: string, object: string): string {
  return `${INSTALLS}${owner}/${object}`;
}

export function floorKey(owner: string): string {
  return `${FLOORS}${owner}`;
}

export function encodeFloorRow(revision: number): Uint8Array {
  return encodeCbor({ version: 1, revision });
}

/** All bundle rows, by key. */
export function bundleRows(kv: Kv): AsyncGenerator<[key: string, value: Uint8Array]> {
  return rows(kv, BUNDLES, BUNDLES_END);
}

/** All rows of installations, by owner and object. */
export async function* installRows(kv: Kv): AsyncGenerator<{ owner: string; object: string; value: Uint8Array }> {
  for await (const [key, value] of rows(kv, INSTALLS, INSTALLS_END)) {
    const [owner = '', object = ''] = key.slice(INSTALLS.length).split('/');
    yield { owner, object, value };
  }
}

/** The revision of the newest forgotten bundle, by owner. Errors: FRAME_INVALID. */
export async function* floors(kv: Kv): AsyncGenerator<[owner: string, revision: number]> {
  for await (const [key, value] of rows(kv, FLOORS, FLOORS_END)) {
    yield [key.slice(FLOORS.length), decodeCbor(value, floorRow, 'a row of forgotten bundles').revision];
  }
}

async function* rows(kv: Kv, from: string, lt: string): AsyncGenerator<[key: string, value: Uint8Array]> {
  for (let gte = from; ; ) {
    const page = await kv.page({ gte, lt, limit: PAGE });
    yield* page;
    const last = page.at(-1)?.[0];
    if (last === undefined) return;
    gte = `${last}\u0000`;
  }
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
