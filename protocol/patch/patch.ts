/** JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396) as pure functions: they leave the given document unchanged. */
import { z } from 'zod';
import { isRecord, jsonEqual } from '../encoding/json.ts';
import { DtkdError } from '../errors.ts';

/** Maximum number of operations in one JSON Patch. */
const MAX_OPERATIONS = 1000;
/** Maximum number of copies and moves in one patch: each can nest a value deeper. */
const MAX_COPIES = 64;
/**
 * Maximum total characters of JSON that `copy` operations may add: otherwise a few of them could double a document until memory is
 * exhausted.
 */
const MAX_COPIED = 1024 * 1024;

const pointer = z
  .string()
  .max(4096)
  .regex(/^(\/([^~]|~[01])*)?$/s, 'must be a JSON pointer');
const value = z.unknown();

const operation = z.discriminatedUnion('op', [
  z.object({ op: z.literal('add'), path: pointer, value }),
  z.object({ op: z.literal('replace'), path: pointer, value }),
  z.object({ op: z.literal('test'), path: pointer, value }),
  z.object({ op: z.literal('remove'), path: pointer }),
  z.object({ op: z.literal('move'), from: pointer, path: pointer }),
  z.object({ op: z.literal('copy'), from: pointer, path: pointer }),
]);
type Operation = z.infer<typeof operation>;

const patchSchema = z.array(operation).max(MAX_OPERATIONS);

/** Applies a merge patch: null deletes, objects merge, everything else replaces. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const merged: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, change] of Object.entries(patch)) {
    if (key === '__proto__') throw new DtkdError('BAD_REQUEST', 'a field must not be named "__proto__"');
    if (change === null) delete merged[key];
    else merged[key] = applyMergePatch(Object.hasOwn(merged, key) ? merged[key] : undefined, change);
  }
  return merged;
}

/**
 * Applies a JSON Patch completely or not at all. Errors: BAD_REQUEST for an invalid patch, INVALID for one that does not fit the
 * document, TOO_LARGE for one that copies too much.
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  const parsed = patchSchema.safeParse(patch);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DtkdError('BAD_REQUEST', `the body is not a JSON patch: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`, {
      next: 'Send a list such as [{"op":"replace","path":"/spec/x","value":1}].',
    });
  }
  let result = structuredClone(document);
  let copied = 0;
  let copies = 0;
  parsed.data.forEach((step, index) => {
    if (step.op === 'copy' || step.op === 'move') copies += 1;
    if (copies > MAX_COPIES) throw new DtkdError('TOO_LARGE', `a patch may copy and move at most ${MAX_COPIES} times`);
    if (step.op === 'copy') {
      copied += JSON.stringify(at(result, step.from, index) ?? null).length;
      if (copied > MAX_COPIED) throw new DtkdError('TOO_LARGE', `operation ${index} of the patch copies too much`);
    }
    result = applyOperation(result, step, index);
  });
  return result;
}

function applyOperation(document: unknown, step: Operation, index: number): unknown {
  switch (step.op) {
    case 'add':
      return add(document, step.path, structuredClone(step.value), index);
    case 'remove':
      return remove(document, step.path, index);
    case 'replace':
      if (step.path === '') return structuredClone(step.value);
      at(document, step.path, index);
      return set(document, step.path, structuredClone(step.value), index);
    case 'move': {
      if (step.path.startsWith(`${step.from}/`)) throw misfit(index, `cannot move "${step.from}" into itself`);
      const moved = at(document, step.from, index);
      if (step.path === step.from) return document;
      return add(remove(document, step.from, index), step.path, moved, index);
    }
    case 'copy':
      return add(document, step.path, structuredClone(at(document, step.from, index)), index);
    case 'test':
      if (!jsonEqual(at(document, step.path, index), step.value)) throw misfit(index, `"${step.path}" is not what the test expects`);
      return document;
    default:
      return document;
  }
}

function misfit(index: number, why: string): DtkdError {
  return new DtkdError('INVALID', `operation ${index} of the patch does not fit: ${why}`, {
    next: 'Read the object again and make a new patch.',
  });
}

function steps(path: string): string[] {
  return path
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Follows one step. Throws if there is nothing. */
function child(container: unknown, step: string, path: string, index: number): unknown {
  if (Array.isArray(container)) {
    const position = arrayIndex(step);
    if (position !== undefined && position < container.length) return container[position];
  } else if (isRecord(container) && Object.hasOwn(container, step)) {
    return container[step];
  }
  throw misfit(index, `there is nothing at "${path}"`);
}

function arrayIndex(step: string): number | undefined {
  return /^(0|[1-9]\d{0,8})$/.test(step) ? Number(step) : undefined;
}

function at(document: unknown, path: string, index: number): unknown {
  return steps(path).reduce((container, step) => child(container, step, path, index), document);
}

/** Returns the container that the last step of a path refers into, and that step. */
function locate(document: unknown, path: string, index: number): { container: unknown; last: string } {
  const all = steps(path);
  const last = all.pop() ?? '';
  if (last === '__proto__') throw misfit(index, 'a field must not be named "__proto__"');
  return { container: all.reduce((container, step) => child(container, step, path, index), document), last };
}

function add(document: unknown, path: string, added: unknown, index: number): unknown {
  if (path === '') return added;
  const { container, last } = locate(document, path, index);
  if (Array.isArray(container)) {
    const position = last === '-' ? container.length : arrayIndex(last);
    if (position === undefined || position > container.length)
      throw misfit(index, `"${path}" is not a place in a list of ${container.length}`);
    container.splice(position, 0, added);
  } else if (isRecord(container)) {
    container[last] = added;
  } else {
    throw misfit(index, `nothing can be added at "${path}"`);
  }
  return document;
}

function set(document: unknown, path: string, replaced: unknown, index: number): unknown {
  const { container, last } = locate(document, path, index);
  if (Array.isArray(container)) container[arrayIndex(last) ?? 0] = replaced;
  else if (isRecord(container)) container[last] = replaced;
  return document;
}

function remove(document: unknown, path: string, index: number): unknown {
  if (path === '') throw misfit(index, 'the whole document cannot be removed');
  at(document, path, index);
  const { container, last } = locate(document, path, index);
  if (Array.isArray(container)) container.splice(arrayIndex(last) ?? 0, 1);
  else if (isRecord(container)) delete container[last];
  return document;
}
