/** Reads Rundeck's resource models: nodes with attributes, as XML, YAML or JSON (a mapping by name, or a list). */
import { DtkdError } from '../../protocol/errors.ts';
import { isRecord, type JsonRecord } from '../json.ts';
import { type Draft, DraftBuilder, type DraftValue, HOST } from './draft.ts';
import { parseXml } from './xml.ts';
import { parseYaml } from './yaml.ts';

/** Attributes that do not become properties. */
const STRUCTURAL: ReadonlySet<string> = new Set(['nodename', 'name', 'description', 'tags', 'type', 'attributes']);
/** Links to pages of Rundeck itself. */
const LINKS: ReadonlySet<string> = new Set(['editUrl', 'remoteUrl']);
const CREDENTIAL = /password|passphrase|privatekey$/i;

export async function readRundeckXml(text: string, source: string): Promise<Draft> {
  const root = await parseXml(text, source);
  if (root.name !== 'project')
    throw new DtkdError('BAD_REQUEST', `${source}:${root.line}: the root element is <${root.name}>, not <project>`);
  const builder = new DraftBuilder();
  for (const element of root.children) {
    if (element.name !== 'node') {
      builder.note(`<${element.name}> is not a node and was left out`, element.line);
      continue;
    }
    const attributes: Record<string, DraftValue> = { ...element.attributes };
    for (const child of element.children) {
      const { name, value } = child.attributes;
      if (child.name === 'attribute' && name !== undefined && value !== undefined) attributes[name] = value;
      else builder.note(`<${child.name}> in node "${element.attributes['name']}" has no counterpart and was left out`, child.line);
    }
    addNode(builder, source, element.attributes['name'], attributes, element.line);
  }
  return builder.build('Rundeck resource XML');
}

/** Reads YAML, and JSON, which is YAML. */
export async function readRundeckYaml(text: string, source: string): Promise<Draft> {
  const document = await parseYaml(text, source);
  const builder = new DraftBuilder();
  if (Array.isArray(document.value)) {
    for (const [index, item] of document.value.entries()) {
      const line = document.lineAt([index]);
      const node = recordOf(item, source, line);
      addNode(builder, source, textOf(node['nodename'] ?? node['name'] ?? node['id']), attributesOf(node), line);
    }
  } else {
    for (const [name, item] of Object.entries(recordOf(document.value, source, 1))) {
      const line = document.lineAt([name]);
      const node = recordOf(item, source, line);
      addNode(builder, source, textOf(node['nodename']) ?? name, attributesOf(node), line);
    }
  }
  return builder.build('Rundeck resource YAML');
}

/** True if the value looks like a mapping or list of Rundeck's nodes. */
export function looksLikeRundeck(value: unknown): boolean {
  const nodes = Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : [];
  return nodes.length > 0 && nodes.every((node) => isRecord(node) && ('nodename' in node || 'hostname' in node));
}

/** The attributes of a node. Rundeck's newer YAML nests further ones under `attributes`. */
function attributesOf(node: JsonRecord): Record<string, DraftValue> {
  const nested = isRecord(node['attributes']) ? node['attributes'] : {};
  const all = [...Object.entries(node), ...Object.entries(nested)].filter(([key]) => key !== 'attributes');
  return Object.fromEntries(all.map(([key, value]) => [key, draftValue(value)]));
}

function addNode(
  builder: DraftBuilder,
  source: string,
  name: string | undefined,
  attributes: Record<string, DraftValue>,
  line: number | undefined,
): void {
  if (name === undefined || name === '') throw new DtkdError('BAD_REQUEST', `${source}:${line ?? 1}: a node has no name`);
  if (builder.find({ type: HOST, name }) !== undefined) {
    throw new DtkdError('BAD_REQUEST', `${source}:${line ?? 1}: node "${name}" is here a second time`);
  }
  const draft = builder.resource({ type: HOST, name }, line);
  const description = textOf(attributes['description']);
  if (description !== undefined && description !== '') draft.description = description;
  draft.tags = tagsOf(attributes['tags']);
  const type = textOf(attributes['type']);
  if (type !== undefined && type !== 'Node') draft.properties['nodeType'] = type;
  for (const [key, value] of Object.entries(attributes)) {
    if (STRUCTURAL.has(key) || key === 'id' || value === '' || value === null) continue;
    if (CREDENTIAL.test(key)) builder.note(`${key} of node "${name}" is a credential and was not kept`, line);
    else if (LINKS.has(key)) builder.note(`${key} of node "${name}" is a link of Rundeck's own and was not kept`, line);
    else builder.property(draft, key, value, line);
  }
}

function tagsOf(value: DraftValue | undefined): string[] {
  const list = Array.isArray(value) ? value.map((each) => String(each)) : typeof value === 'string' ? value.split(',') : [];
  return list.map((tag) => tag.trim()).filter((tag) => tag !== '');
}

function recordOf(value: unknown, source: string, line: number | undefined): JsonRecord {
  if (isRecord(value)) return value;
  throw new DtkdError('BAD_REQUEST', `${source}:${line ?? 1}: a node must be a mapping of attributes`);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}

/** Converts a value of JSON or YAML to a draft's value; dates and the like become text. */
export function draftValue(value: unknown): DraftValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((each) => draftValue(each));
  if (isRecord(value)) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, draftValue(each)]));
  return value === undefined ? null : String(value);
}
