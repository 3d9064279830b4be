/** Converts drafts to objects. Pure and deterministic, so that importing a file again changes nothing. */
import { createHash } from 'node:crypto';
import { propertyName } from '../../protocol/definitions/type-rules.ts';
import { DTKD_GROUP } from '../../protocol/kinds/model.ts';
import type { JsonRecord } from '../json.ts';
import { type Draft, type DraftRef, type DraftValue, keyOf, type Note, type ResourceDraft } from './draft.ts';

const API_VERSION = `${DTKD_GROUP}/v1`;
/** Prefix of the labels made of tags, so that `-l tags.dtkd.dev/web` selects by a tag. Tags that cannot be label names get none. */
const TAG_LABEL_PREFIX = 'tags.dtkd.dev/';
const LABEL_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const TYPE_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
/** The longest object name without its hash, in characters. */
const MAX_NAME = 240;

export interface ImportObjects {
  objects: JsonRecord[];
  /** The line of each object in the file. */
  lines: (number | undefined)[];
  notes: Note[];
}

/** The object name of a resource: `MODEL.TYPE.NAME` in the characters that names may have, with a hash if characters were lost. */
export function resourceObjectName(model: string, { type, name }: DraftRef): string {
  const wanted = `${model}.${type.toLowerCase()}.${name}`;
  const slug = wanted
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/\.{2,}/g, '.')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  if (slug === wanted && slug.length <= MAX_NAME) return slug;
  const hash = createHash('sha256').update(wanted).digest('hex').slice(0, 6);
  return `${slug.slice(0, MAX_NAME).replace(/[^a-z0-9]+$/, '')}-${hash}`;
}

/** The Model, the Types and the Resources of a draft. */
export function objectsOf(draft: Draft, model: string): ImportObjects {
  const notes = [...draft.notes];
  const objects: JsonRecord[] = [{ apiVersion: API_VERSION, kind: 'Model', metadata: { name: model } }];
  const lines: (number | undefined)[] = [undefined];
  for (const type of draft.types) {
    objects.push({
      apiVersion: API_VERSION,
      kind: 'Type',
      metadata: { name: typeObjectName(type.name) },
      spec: { ...(TYPE_NAME.test(type.name) ? { name: type.name } : {}), extends: type.extends },
    });
    lines.push(type.line);
  }
  const names = new Map(draft.resources.map((resource) => [keyOf(resource), resourceObjectName(model, resource)]));
  for (const resource of draft.resources) {
    objects.push(resourceObject(resource, model, names, notes));
    lines.push(resource.line);
  }
  return { objects, lines, notes };
}

function typeObjectName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

function resourceObject(resource: ResourceDraft, model: string, names: ReadonlyMap<string, string>, notes: Note[]): JsonRecord {
  const { type, name, description, tags = [], line } = resource;
  const properties: Record<string, DraftValue> = {};
  for (const [key, value] of Object.entries(resource.properties)) {
    const safe = propertyName.safeParse(key).success
      ? key
      : key
          .replace(/[^A-Za-z0-9_.-]+/g, '_')
          .replace(/^[^A-Za-z_]+/, '_')
          .replace(/^__proto__$/, '_proto_')
          .slice(0, 63);
    if (safe !== key)
      notes.push({
        line,
        text: `property "${key}" of ${type} "${name}" is called "${safe}" now: property names have letters, digits, _ . and -`,
      });
    properties[safe] = value;
  }
  if (tags.length > 0) properties['tags'] = tags;
  const labels: Record<string, string> = {};
  for (const tag of tags) {
    if (LABEL_NAME.test(tag)) labels[TAG_LABEL_PREFIX + tag] = 'true';
    else notes.push({ line, text: `tag "${tag}" of ${type} "${name}" cannot be a label; it is kept in the property tags` });
  }
  const parents = resource.parents.flatMap((parent) => names.get(keyOf(parent)) ?? []).sort();
  return {
    apiVersion: API_VERSION,
    kind: 'Resource',
    metadata: { name: names.get(keyOf(resource)) ?? '', ...(Object.keys(labels).length === 0 ? {} : { labels }) },
    spec: {
      model,
      type,
      name,
      ...(description === undefined ? {} : { description }),
      ...(Object.keys(properties).length === 0 ? {} : { properties }),
      ...(parents.length === 0 ? {} : { parents }),
    },
  };
}
