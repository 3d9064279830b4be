/** Paths into objects, as used in expressions and indexes. */
import type { Kind } from '../kinds/kind.ts';

/** A kind's rules for its paths. */
export type PathRules = Pick<Kind, 'aliases' | 'caseless' | 'defaults'>;

export interface ObjectPath {
  /** The full path: `spec.properties.port`, `metadata.labels.tier`. */
  text: string;
  /** For each step, every key that may begin there, the longest first: keys may contain dots. */
  keys: readonly (readonly { key: string; next: number }[])[];
  /** Compare texts at this path without regard to case. */
  caseless: boolean;
  /** Path to read if there is nothing at this one. */
  otherwise?: ObjectPath;
}

/** Below these prefixes, the whole rest is one key. */
const MAPS = ['metadata.labels.', 'metadata.annotations.'];

/** Parses a full path, as used by `indexed` and `find`. */
export function objectPath(text: string, rules: PathRules = {}): ObjectPath {
  const otherwise = rules.defaults?.[text];
  return {
    text,
    keys: keysOf(text),
    caseless: rules.caseless?.includes(text) ?? false,
    ...(otherwise === undefined ? {} : { otherwise: objectPath(otherwise) }),
  };
}

function keysOf(text: string): ObjectPath['keys'] {
  const map = MAPS.find((prefix) => text.startsWith(prefix));
  if (map !== undefined) {
    const steps = [...map.slice(0, -1).split('.'), text.slice(map.length)];
    return steps.map((key, index) => [{ key, next: index + 1 }]);
  }
  const steps = text.split('.');
  return steps.map((_, from) =>
    steps.slice(from).map((_step, count) => ({ key: steps.slice(from, steps.length - count).join('.'), next: steps.length - count })),
  );
}

/** Returns the value at the path; undefined if there is none. Null counts as none. */
export function readPath(object: unknown, { keys, otherwise }: ObjectPath): unknown {
  let at = object;
  let step = 0;
  while (step < keys.length) {
    const found: { key: string; next: number } | undefined =
      typeof at === 'object' && at !== null && !Array.isArray(at)
        ? keys[step]?.find(({ key }) => Object.hasOwn(Object(at), key))
        : undefined;
    if (found === undefined) {
      at = undefined;
      break;
    }
    at = Reflect.get(Object(at), found.key);
    step = found.next;
  }
  if (at !== undefined && at !== null) return at;
  return otherwise === undefined ? undefined : readPath(object, otherwise);
}

/** Returns the scalars at a path: the value itself, or each element of an array. */
export function scalarsAt(object: unknown, path: ObjectPath): (string | number | boolean)[] {
  const found = readPath(object, path);
  return (Array.isArray(found) ? found : [found]).filter(isScalar);
}

export function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}
