import { DtkdError } from '../../protocol/errors.ts';
import { moduleKind } from '../../protocol/kinds/module.ts';
import type { ApiClient, Target } from '../client/api.ts';
import { THIS_NODE } from '../client/api.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../json.ts';

/** The Module that a person means: by the name of its object, or by that of the module, of which a node has one version. */
export async function findModule(client: ApiClient, name: string, namespace: string = THIS_NODE): Promise<JsonRecord> {
  if (!name.includes('/')) return client.get({ kind: moduleKind, namespace, name });
  const [module = '', version] = name.split('@');
  const page = await client.get({ kind: moduleKind, namespace }, { fieldSelector: `spec.module=${module}` });
  const found = listAt(page, 'items')
    .filter(isRecord)
    .find((item) => version === undefined || textAt(item, 'spec', 'version') === version);
  if (found !== undefined) return found;
  throw new DtkdError(
    'NOT_FOUND',
    `module ${name.slice(0, 200)} is not installed on ${namespace === THIS_NODE ? 'this node' : namespace}`,
    {
      next: 'See "dtkd module ls".',
    },
  );
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
