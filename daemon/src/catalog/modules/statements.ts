/**
 * Rows that hold who signed which archive. `n/m/DIGEST/PUBLISHER`: the module itself, whose name and version are in the archive.
 * `n/m/DIGEST/PUBLISHER/VERSION/NAME`: a service instance's copy of it; several instances may share an archive.
 */
import { type CodeRef, codeName, moduleVersion } from '../../../../protocol/definitions/code.ts';
import { type SignedModule, signedModule } from '../../../../protocol/definitions/module.ts';
import { instanceOfCode } from '../../../../protocol/definitions/scoped-names.ts';
import { decodeCbor } from '../../../../protocol/encoding/cbor.ts';
import type { Kv } from '../../store/kv.ts';

export const STATEMENTS = 'n/m/';
const HEX = 64;

export type CopyCode = CodeRef & { version: string };

/** The row with a publisher's signature of a module. */
export function statementRow(digest: string, publisher: string): string {
  return `${STATEMENTS}${digest}/${publisher}`;
}

/** The row with a publisher's signature of an instance's copy. */
export function copyRow({ name, version, digest, publisher }: CopyCode): string {
  return `${statementRow(digest, publisher)}/${version}/${name}`;
}

/** The row for a statement. */
export function rowOf(code: CopyCode): string {
  return instanceOfCode(code.name) === undefined ? statementRow(code.digest, code.publisher) : copyRow(code);
}

/** The copy that a row belongs to; undefined for the row of a module itself. */
export function parseCopyRow(key: string): CopyCode | undefined {
  const rest = key.slice(STATEMENTS.length);
  const [digest, publisher, end] = [rest.slice(0, HEX), rest.slice(HEX + 1, 2 * HEX + 1), rest.slice(2 * HEX + 2)];
  const slash = end.indexOf('/');
  const [version, name] = [end.slice(0, slash), end.slice(slash + 1)];
  const isCopy = slash > 0 && moduleVersion.safeParse(version).success && codeName.safeParse(name).success;
  return isCopy ? { name, version, digest, publisher } : undefined;
}

/** The publisher's signature of a copy; undefined if it is not here. */
export async function signedCopy(kv: Pick<Kv, 'get'>, code: CopyCode): Promise<SignedModule | undefined> {
  const row = await kv.get(copyRow(code));
  return row === undefined ? undefined : decodeCbor(row, signedModule, 'the signature of a module copy');
}
