/**
 * Strategic merge patch, as kubectl sends it for core kinds: a merge patch that merges lists by rules and has directives (`$patch`,
 * `$retainKeys`, `$deleteFromPrimitiveList/F`, `$setElementOrder/F`). Pure: leaves the given document unchanged. The cost is linear in
 * the lengths of document and patch. Whether a patch fails depends on the patch alone, so that a refusal reveals nothing of what is
 * stored.
 */
import { isRecord } from '../encoding/json.ts';
import { DtkdError } from '../errors.ts';
import { mergeInOrder } from './element-order.ts';
import type { PatchRule } from './patch-rules.ts';

const PATCH = '$patch';
const RETAIN = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const ORDER = '$setElementOrder/';

type Fields = Record<string, unknown>;
type Scalar = string | number | boolean;

/** A patch's changes to one list. */
interface ListChange {
  /** Absent: the patch gives only its order, or values to remove. */
  items?: readonly unknown[];
  removed: readonly unknown[];
  order?: readonly unknown[];
}

/** Applies a patch. Errors: BAD_REQUEST if it is not a strategic merge patch. */
export function applyStrategicMergePatch(target: unknown, patch: unknown, rule: PatchRule): unknown {
  if (!isRecord(patch)) throw misuse('the body is not a strategic merge patch');
  return mergeObjects(isRecord(target) ? target : {}, patch, rule, '');
}

function misuse(what: string): DtkdError {
  return new DtkdError('BAD_REQUEST', what, {
    next: 'Send an object with the fields to change, or another kind of patch: kubectl patch --type merge.',
  });
}

function mergeObjects(target: Fields, patch: Fields, rule: PatchRule, path: string): Fields {
  const directive = directiveOf(patch, path);
  if (directive === 'delete') return {};
  const merged = directive === 'replace' ? {} : { ...target };
  retain(merged, patch, path);
  for (const field of fieldsOf(patch, path)) {
    const inner = path === '' ? field : `${path}.${field}`;
    const change = Object.hasOwn(patch, field) ? patch[field] : undefined;
    const had = Object.hasOwn(merged, field) ? merged[field] : undefined;
    const within = rule.fields !== undefined && Object.hasOwn(rule.fields, field) ? rule.fields[field] : undefined;
    if (change === null) delete merged[field];
    else if (isRecord(change)) merged[field] = mergeObjects(isRecord(had) ? had : {}, change, within ?? {}, inner);
    else if (isMergedList(within)) mergeListField(merged, field, within, listChange(patch, field, inner), inner);
    else if (change === undefined)
      throw misuse(`${inner} is not a list that is merged, so the patch cannot give its order or a part of it`);
    else merged[field] = change;
  }
  return merged;
}

function isMergedList(rule: PatchRule | undefined): rule is PatchRule {
  return rule !== undefined && (rule.mergeKey !== undefined || rule.set === true);
}

function directiveOf(patch: Fields, path: string): 'delete' | 'replace' | 'merge' {
  if (!Object.hasOwn(patch, PATCH)) return 'merge';
  const said = patch[PATCH];
  if (said === 'delete' || said === 'replace' || said === 'merge') return said;
  throw misuse(`${PATCH} of ${path || 'the object'} is ${JSON.stringify(said).slice(0, 80)}; it may be delete, replace or merge`);
}

/** Returns the fields that a patch mentions, each once, in the order of the patch. */
function fieldsOf(patch: Fields, path: string): Set<string> {
  const fields = new Set<string>();
  for (const key of Object.keys(patch)) {
    const field = key.startsWith(DELETE_FROM) ? key.slice(DELETE_FROM.length) : key.startsWith(ORDER) ? key.slice(ORDER.length) : key;
    if (field === '__proto__') throw misuse(`a field of ${path || 'the object'} must not be named "__proto__"`);
    if (key !== PATCH && key !== RETAIN) fields.add(field);
  }
  return fields;
}

/** Applies `$retainKeys`, which lists all fields to keep. */
function retain(merged: Fields, patch: Fields, path: string): void {
  if (!Object.hasOwn(patch, RETAIN)) return;
  const said = patch[RETAIN];
  if (!Array.isArray(said) || said.some((key) => typeof key !== 'string'))
    throw misuse(`${RETAIN} of ${path || 'the object'} is not a list of names`);
  const kept = new Set<unknown>(said);
  for (const [key, value] of Object.entries(patch)) {
    if (key === PATCH || key === RETAIN || key.startsWith(DELETE_FROM) || key.startsWith(ORDER) || value === null || kept.has(key))
      continue;
    throw misuse(`${path === '' ? key : `${path}.${key}`} is written, but ${RETAIN} does not name it`);
  }
  for (const key of Object.keys(merged)) if (!kept.has(key)) delete merged[key];
}

function listChange(patch: Fields, field: string, path: string): ListChange {
  const list = (key: string): readonly unknown[] | undefined => {
    if (!Object.hasOwn(patch, key)) return undefined;
    const value = patch[key];
    if (Array.isArray(value)) return value;
    throw misuse(`${key.slice(0, 100)} of ${path} is not a list`);
  };
  const items = list(field);
  const order = list(`${ORDER}${field}`);
  return {
    ...(items === undefined ? {} : { items }),
    removed: list(`${DELETE_FROM}${field}`) ?? [],
    ...(order === undefined ? {} : { order }),
  };
}

/** A list that did not exist is not created if nothing is added to it. */
function mergeListField(merged: Fields, field: string, rule: PatchRule, change: ListChange, path: string): void {
  const had = Object.hasOwn(merged, field) ? merged[field] : undefined;
  const before = Array.isArray(had) ? had : [];
  const after = rule.mergeKey === undefined ? mergeSet(before, change, path) : mergeByKey(before, change, rule, rule.mergeKey, path);
  if (change.items !== undefined || Array.isArray(had)) merged[field] = after;
}

function mergeSet(before: readonly unknown[], { items = [], removed, order }: ListChange, path: string): unknown[] {
  const gone = new Set(removed.map((value) => scalar(value, path)));
  const merged = new Set<unknown>(before.filter((value) => !isScalar(value) || !gone.has(value)));
  for (const item of items) merged.add(scalar(item, path));
  if (order === undefined) return [...merged];
  const wanted = order.map((value) => scalar(value, path));
  assertOrdered(items.map(idOf), wanted.map(idOf), path);
  return mergeInOrder([...merged], { idOf, order: wanted.map(idOf), before: before.map(idOf) });
}

function mergeByKey(before: readonly unknown[], change: ListChange, rule: PatchRule, mergeKey: string, path: string): unknown[] {
  if (change.removed.length > 0) throw misuse(`${path} is a list of objects; remove one with {"${mergeKey}": …, "${PATCH}": "delete"}`);
  const idOfItem = (item: unknown) => (isRecord(item) && isScalar(item[mergeKey]) ? idOf(item[mergeKey]) : undefined);
  const said = (change.items ?? []).map((item) => {
    if (!isRecord(item)) throw misuse(`${path} is a list of objects; ${JSON.stringify(item).slice(0, 80)} is not an object`);
    const directive = directiveOf(item, path);
    const { [PATCH]: _directive, ...fields } = item;
    // The directive to replace the list may stand alone.
    const isAlone = directive === 'replace' && Object.keys(fields).length === 0;
    const id = idOfItem(item);
    if (id === undefined && !isAlone) throw misuse(`an item of ${path} has no ${mergeKey}, which identifies it`);
    return { directive, fields, id };
  });
  const replaces = said.some(({ directive }) => directive === 'replace');
  const gone = new Set(said.filter(({ directive }) => directive === 'delete').map(({ id }) => id));
  const merged = replaces ? [] : before.filter((item) => !gone.has(idOfItem(item) ?? ''));
  const places = new Map<string | undefined, number>();
  for (const [place, item] of merged.entries()) if (!places.has(idOfItem(item))) places.set(idOfItem(item), place);
  for (const { directive, fields, id } of said) {
    if (directive !== 'merge') continue;
    const place = places.get(id);
    const had = place === undefined ? {} : merged[place];
    const item = mergeObjects(isRecord(had) ? had : {}, fields, { ...(rule.fields === undefined ? {} : { fields: rule.fields }) }, path);
    places.set(id, place ?? merged.length);
    merged[place ?? merged.length] = item;
  }
  if (change.order === undefined) return merged;
  const order = change.order.map((item) => {
    const id = idOfItem(item);
    if (id === undefined) throw misuse(`an item of ${ORDER}${path} has no ${mergeKey}, which identifies it`);
    return id;
  });
  assertOrdered(
    said.flatMap(({ directive, id }) => (directive === 'merge' && id !== undefined ? [id] : [])),
    order,
    path,
  );
  return mergeInOrder(merged, { idOf: idOfItem, order, before: before.map(idOfItem) });
}

/** Everything that a patch adds to a list must be in the order that it gives. */
function assertOrdered(items: readonly string[], order: readonly string[], path: string): void {
  const known = new Set(order);
  if (items.some((id) => !known.has(id))) throw misuse(`${ORDER}${path} does not name all that the patch writes into it`);
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function scalar(value: unknown, path: string): Scalar {
  if (isScalar(value)) return value;
  throw misuse(`${path} is a list of plain values; ${JSON.stringify(value).slice(0, 80)} is not a plain value`);
}

/** Distinguishes 80 from "80". */
function idOf(value: unknown): string {
  return `${typeof value}:${String(value)}`;
}
