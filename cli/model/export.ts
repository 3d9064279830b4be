/** A model as text: dtkd's own YAML, which imports back to the same model, or Rundeck's resource YAML. Pure but for the YAML library. */
import { CREATOR_ANNOTATION } from '../../protocol/rights/principal.ts';
import { isRecord, type JsonRecord, listAt, recordAt, textAt } from '../json.ts';
import { toYaml } from '../output/format.ts';
import { HOST } from './draft.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** The fields that people write: without owner, versions and times. */
export function userDocument(object: JsonRecord): JsonRecord {
  const { apiVersion, kind, spec } = object;
  const annotations = Object.fromEntries(
    Object.entries(recordAt(object, 'metadata', 'annotations')).filter(([key]) => key !== LAST_APPLIED && key !== CREATOR_ANNOTATION),
  );
  const labels = recordAt(object, 'metadata', 'labels');
  return {
    apiVersion,
    kind,
    metadata: {
      name: textAt(object, 'metadata', 'name'),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    ...(spec === undefined ? {} : { spec }),
  };
}

/** The node's own types that the resources of a model use, with the types that these extend, bases first. */
export function typesUsed(types: readonly JsonRecord[], resources: readonly JsonRecord[]): JsonRecord[] {
  const byName = new Map(types.map((type) => [nameOfType(type), type]));
  const used = new Set<JsonRecord>();
  const visit = (name: string | undefined): void => {
    const type = name === undefined ? undefined : byName.get(name.toLowerCase());
    if (type === undefined || used.has(type)) return;
    visit(textAt(type, 'spec', 'extends'));
    used.add(type);
  };
  for (const resource of resources) visit(textAt(resource, 'spec', 'type'));
  return [...used];
}

function nameOfType(type: JsonRecord): string {
  return (textAt(type, 'spec', 'name') ?? textAt(type, 'metadata', 'name') ?? '').toLowerCase();
}

/** One YAML text with a document for each object. */
export async function dtkdYaml(objects: readonly JsonRecord[]): Promise<string> {
  const documents: string[] = [];
  for (const object of objects) documents.push(await toYaml(userDocument(object)));
  return documents.join('\n---\n');
}

/** The resources that are hosts, as Rundeck's mapping of nodes by name. Attributes are text there. */
export function rundeckNodes(resources: readonly JsonRecord[]): Record<string, Record<string, string>> {
  const nodes: Record<string, Record<string, string>> = {};
  for (const resource of resources) {
    const spec = recordAt(resource, 'spec');
    if (textAt(spec, 'type')?.toLowerCase() !== HOST.toLowerCase()) continue;
    const name = textAt(spec, 'name') ?? textAt(resource, 'metadata', 'name') ?? '';
    const { tags: _tags, nodeType, ...properties } = recordAt(spec, 'properties');
    const attributes = Object.entries(properties).map(([key, value]) => [key, attributeText(value)] as const);
    nodes[name] = {
      nodename: name,
      hostname: name,
      ...(typeof spec['description'] === 'string' ? { description: spec['description'] } : {}),
      ...(nodeType === undefined ? {} : { type: attributeText(nodeType) }),
      tags: listAt(spec, 'properties', 'tags').map(String).join(','),
      ...Object.fromEntries(attributes),
    };
  }
  return nodes;
}

function attributeText(value: unknown): string {
  return typeof value === 'string' ? value : isRecord(value) || Array.isArray(value) ? JSON.stringify(value) : String(value);
}
