import { compareVersions } from '../../protocol/definitions/version-order.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { moduleKind } from '../../protocol/kinds/module.ts';
import type { ApiClient, Target } from '../client/api.ts';
import { THIS_NODE } from '../client/api.ts';
import { isRecord, type JsonRecord, listAt, textAt, valueAt } from '../json.ts';

/**
 * Finds a Module by the name of its object, by `NAME@VERSION`, or by the name of the module. The last gives the active version, whose types
 * are the node's, or else the newest.
 */
export async function findModule(client: ApiClient, name: string, namespace: string = THIS_NODE): Promise<JsonRecord> {
  const [found] = await findVersions(client, name, namespace);
  if (found !== undefined) return found;
  throw notInstalled(name, namespace);
}

/** All versions that a name can mean: the active one first, then from the newest. Errors: NOT_FOUND if there is none. */
export async function findVersions(client: ApiClient, name: string, namespace: string = THIS_NODE): Promise<JsonRecord[]> {
  if (!name.includes('/')) return [await client.get({ kind: moduleKind, namespace, name })];
  const { module, version } = splitVersion(name);
  const page = await client.get({ kind: moduleKind, namespace }, { fieldSelector: `spec.module=${module}` });
  const found = listAt(page, 'items')
    .filter(isRecord)
    .filter((item) => version === undefined || textAt(item, 'spec', 'version') === version);
  if (found.length === 0) throw notInstalled(name, namespace);
  const versionOf = (item: JsonRecord) => textAt(item, 'spec', 'version') ?? '';
  return found.sort((a, b) => Number(isActive(b)) - Number(isActive(a)) || compareVersions(versionOf(b), versionOf(a)));
}

/** True if the node uses its types. A module that does not say so is active, too. */
export function isActive(module: JsonRecord): boolean {
  return valueAt(module, 'spec', 'active') !== false;
}

/** Splits `acme/web@^1.2` into the name and the version or range after the `@`. */
export function splitVersion(text: string): { module: string; version?: string } {
  const at = text.indexOf('@');
  return at < 0 ? { module: text } : { module: text.slice(0, at), version: text.slice(at + 1) };
}

function notInstalled(name: string, namespace: string): DtkdError {
  const where = namespace === THIS_NODE ? 'this node' : namespace;
  return new DtkdError('NOT_FOUND', `module ${name.slice(0, 200)} is not installed on ${where}`, { next: 'See "dtkd module ls".' });
}

export function moduleTarget(object: JsonRecord): Target {
  return {
    kind: moduleKind,
    namespace: textAt(object, 'metadata', 'namespace') ?? THIS_NODE,
    name: textAt(object, 'metadata', 'name') ?? '',
  };
}

/** `acme/web 1.2.0` */
export function moduleTitle(object: unknown): string {
  return `${textAt(object, 'spec', 'module') ?? ''} ${textAt(object, 'spec', 'version') ?? ''}`.trim();
}
