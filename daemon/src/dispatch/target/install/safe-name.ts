/** Names of models, types and resources as directory names. Pure. Different names never collide, and none leads outside. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { scopedTypeName } from '../../../../../protocol/definitions/type-rules.ts';
import type { BundledResource } from '../../../../../protocol/orders/bundle.ts';

/** The most bytes of a directory's name; file systems take 255. */
const MAX_NAME = 200;
/** Digits of the owner's key: finding another key with the same beginning is infeasible. */
const OWNER_DIGITS = 32;

/**
 * Keeps letters, digits and `._-`, and writes other bytes, and a leading dot, as `%XX`. A name that gets too long is cut and ends with
 * `~` and its hash, which no other name can have.
 */
export function safeName(name: string): string {
  const escaped = [...Buffer.from(name, 'utf8')]
    .map((byte, at) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(char) || (char === '.' && at > 0) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
  if (escaped === '') return '%';
  if (escaped.length <= MAX_NAME) return escaped;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return `${escaped.slice(0, MAX_NAME - hash.length - 1)}~${hash}`;
}

/** The directory in which a resource is installed: `resources/OWNER/MODEL/TYPE/NAME` in the data directory. */
export function resourceDirectory(
  data: string,
  owner: string,
  { model, type, name }: Pick<BundledResource, 'model' | 'type' | 'name'>,
): string {
  return join(data, 'resources', owner.slice(0, OWNER_DIGITS), safeName(model), typeDirectory(type), safeName(name));
}

/** Keeps a scoped name such as `WebServer@shop`: no other name results in one with an `@`. */
function typeDirectory(type: string): string {
  return scopedTypeName.safeParse(type).success ? type : safeName(type);
}
