import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import { secretKind } from '../../protocol/kinds/secret.ts';
import type { ApiClient } from './api.ts';

export interface NewSecret {
  namespace: string;
  name: string;
  value: string;
  description?: string | undefined;
}

/** Creates a Secret of a node, or replaces its value. */
export async function putSecret(client: ApiClient, { namespace, name, value, description }: NewSecret): Promise<'set' | 'replaced'> {
  const target = { kind: secretKind, namespace, name };
  const spec = { value, ...(description === undefined ? {} : { description }) };
  if ((await client.find(target)) === undefined) {
    await client.create(
      { kind: secretKind, namespace },
      { apiVersion: apiVersionOf(secretKind), kind: secretKind.kind, metadata: { name }, spec },
    );
    return 'set';
  }
  await client.patch(target, { spec }, 'merge');
  return 'replaced';
}
