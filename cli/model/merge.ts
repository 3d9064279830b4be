/** Merges an imported resource into the stored one: files of other tools add and change, but do not remove. Pure. */
import { isRecord, type JsonRecord, listAt, recordAt, textAt } from '../json.ts';

/** `wanted`, with labels, annotations, properties, parents and description of `stored` that it lacks. */
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

/** Keeps a stored type unchanged, since a file that only names it knows nothing of its properties and rules. */
export function keepType(wanted: JsonRecord, stored: readonly JsonRecord[]): JsonRecord {
  const before = stored.find((type) => typeNameIn(type) === typeNameIn(wanted));
  if (before === undefined) return wanted;
  const { name, labels, annotations } = recordAt(before, 'metadata');
  const metadata = { name, ...filled('labels', labels), ...filled('annotations', annotations) };
  return { ...wanted, metadata, ...(before['spec'] === undefined ? {} : { spec: before['spec'] }) };
}

function typeNameIn(type: JsonRecord): string {
  return (textAt(type, 'spec', 'name') ?? textAt(type, 'metadata', 'name') ?? '').toLowerCase();
}

/** The first list in its order, then what is new in the second. */
function union(first: readonly unknown[], second: readonly unknown[]): unknown[] {
  return [...new Set([...first, ...second])];
}

function filled(key: string, value: unknown): JsonRecord {
  return isRecord(value) && Object.keys(value).length > 0 ? { [key]: value } : {};
}
