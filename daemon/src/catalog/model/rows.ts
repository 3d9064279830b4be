/**
 * The rows that the model keeps beside its objects, in the same batches. `n/t/TYPE` and `n/r/MODEL!TYPE!NAME` hold the name of the object
 * that has a name, so that a duplicate is found without a search. `n/c/RESOURCE` counts its children by type, so that checking a limit on
 * children costs the same for two as for a million. TYPE is in lower case.
 */
import { z } from 'zod';
import type { Reads } from './objects.ts';

export const nameRow = {
  type: (key: string): string => `n/t/${key}`,
  /** Names of models and types contain no `!`, so everything after the second one is the resource's name. */
  resource: (model: string, key: string, name: string): string => `n/r/${model}!${key}!${name}`,
};

export function countRow(resource: string): string {
  return `n/c/${resource}`;
}

const counts = z.record(z.string(), z.number().int().positive());

export async function readName(reads: Pick<Reads, 'getRow'>, row: string): Promise<string | undefined> {
  const bytes = await reads.getRow(row);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/** Numbers of children of a resource, by the key of their type. */
export async function readCounts(reads: Pick<Reads, 'getRow'>, resource: string): Promise<Map<string, number>> {
  const bytes = await reads.getRow(countRow(resource));
  return new Map(bytes === undefined ? [] : Object.entries(counts.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))));
}

export function encodeCounts(children: ReadonlyMap<string, number>): Uint8Array {
  return Buffer.from(JSON.stringify(Object.fromEntries(children)));
}
