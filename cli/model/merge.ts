/** Joins what a file says of a resource with what is there: files of other tools add and change, they do not remove. Pure. */
import { isRecord, type JsonRecord, listAt, recordAt } from '../json.ts';

/** `wanted` with labels, properties and parents of `stored` that it does not speak of. */
export function mergeResource(stored: JsonRecord, wanted: JsonRecord, replaceParents: boolean): JsonRecord {
  const spec = recordAt(wanted, 'spec');
  const metadata = recordAt(wanted, 'metadata');
  const labels = { ...recordAt(stored, 'metadata', 'labels'), ...recordAt(metadata, 'labels') };
  const annotations = recordAt(stored, 'metadata', 'annotations');
  const properties = { ...recordAt(stored, 'spec', 'properties'), ...recordAt(spec, 'properties') };
  const parents = replaceParents ? listAt(spec, 'parents') : union(listAt(stored, 'spec', 'parents'), listAt(spec, 'parents'));
  const description = spec['description'] ?? recordAt(stored, 'spec')['description'];
  return {
    ...wanted,
    metadata: { ...metadata, ...filled('labels', labels), ...filled('annotations', annotations) },
    spec: {
      ...spec,
      ...(description === undefined ? {} : { description }),
      ...filled('properties', properties),
      ...(parents.length === 0 ? {} : { parents }),
    },
  };
}

/** What stands there first, in its order, then what is new. */
function union(first: readonly unknown[], second: readonly unknown[]): unknown[] {
  return [...new Set([...first, ...second])];
}

function filled(key: string, value: unknown): JsonRecord {
  return isRecord(value) && Object.keys(value).length > 0 ? { [key]: value } : {};
}
