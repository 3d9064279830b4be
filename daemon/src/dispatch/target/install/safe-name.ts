/** Names of models, types and resources as names of directories: pure. Two names never become one, and none leads elsewhere. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { scopedTypeName } from '../../../../../protocol/definitions/type-rules.ts';
import type { BundledResource } from '../../../../../protocol/orders/bundle.ts';

/** Bytes of a directory's name; file systems take 255. */
const MAX_NAME = 200;
/** Digits of the owner's key: a key that begins with the same cannot be found. */
const OWNER_DIGITS = 32;

/**
 * The name itself as far as it is letters, digits and `._-`; other bytes as `%XX`, also a leading dot. One that is too long ends with `~` and its hash,
 * which no other name can have.
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

/** Where a resource is installed: `resources/OWNER/MODEL/TYPE/NAME` in the data directory. */
export function resourceDirectory(
  data: string,
  owner: string,
  { model, type, name }: Pick<BundledResource, 'model' | 'type' | 'name'>,
): string {
  return join(data, 'resources', owner.slice(0, OWNER_DIGITS), safeName(model), typeDirectory(type), safeName(name));
}

/** `WebServer@shop` stays as it is written: no other name comes to one with an `@`. */
function typeDirectory(type: string): string {
  return scopedTypeName.safeParse(type).success ? type : safeName(type);
}
