/** A finished execution: its stored object, and its collected output. */
import { join } from 'node:path';
import type { ExecutionFields } from '../../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import { readCollected } from '../output/collected.ts';
import type { View } from './view.types.ts';

/** `directory`: where its output is. */
export function storedView(object: ApiObject, fields: ExecutionFields, directory: string): View {
  const parts = new Map<number, Part>((fields.status?.parts ?? []).map((part) => [part.index, part]));
  return {
    id: object.metadata.name,
    object: () => object,
    indexes: () => parts.keys(),
    part: (index) => parts.get(index),
    phase: () => fields.status?.phase ?? 'Finished',
    resting: () => true,
    read: (index, offset, maxBytes) => readCollected(join(directory, String(index)), offset, maxBytes),
    notes: () => ({ items: [], next: 0 }),
    onChange: () => () => undefined,
    missing: () => 0,
  };
}
