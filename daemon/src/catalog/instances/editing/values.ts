/** Values at paths in plain data. Pure. An edit is applied to the data first, which gives the value that the edited text must have. */
import { isRecord } from '../../../../../protocol/encoding/json.ts';

export type Path = readonly string[];

/** One change to nested maps. Missing maps are created, and maps that become empty are removed. */
export type Change = { path: Path; value: unknown } | { path: Path; remove: true };

export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) at = isRecord(at) && Object.hasOwn(at, part) ? at[part] : undefined;
  return at;
}

export function changed(value: unknown, change: Change): unknown {
  return 'remove' in change ? without(value, change.path) : withValue(value, change.path, change.value);
}

function withValue(value: unknown, [key, ...rest]: Path, wanted: unknown): unknown {
  if (key === undefined) return wanted;
  const map = isRecord(value) ? value : {};
  return { ...map, [key]: withValue(Object.hasOwn(map, key) ? map[key] : undefined, rest, wanted) };
}

function without(value: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined || !isRecord(value) || !Object.hasOwn(value, key)) return value;
  const { [key]: inner, ...others } = value;
  if (rest.length === 0) return others;
  const left = without(inner, rest);
  return isRecord(left) && Object.keys(left).length === 0 ? others : { ...others, [key]: left };
}
