import { DtkdError } from '../../protocol/errors.ts';
import { nodeKind } from '../../protocol/kinds/node.ts';
import { type JsonRecord, textAt } from '../json.ts';
import type { ApiClient } from './api.ts';
import { whileRaced } from './raced.ts';

/** The name of the node that answers. */
async function ownNode(client: ApiClient): Promise<string> {
  const name = textAt(await client.daemon('GET', 'whoami'), 'node');
  if (name !== undefined && name !== '') return name;
  throw new DtkdError('INTERNAL', 'the answer of the daemon lacks the name of its node');
}

/**
 * Changes the operator's settings of this node. `change` gets the Node's spec and returns a merge patch of it, or undefined to leave it.
 */
export async function changeOwnNode(
  client: ApiClient,
  change: (spec: unknown) => JsonRecord | undefined,
): Promise<{ name: string; changed: boolean }> {
  const name = await ownNode(client);
  const target = { kind: nodeKind, name };
  return whileRaced(async () => {
    const object = await client.get(target);
    const spec = change(object['spec']);
    if (spec === undefined) return { name, changed: false };
    const resourceVersion = textAt(object, 'metadata', 'resourceVersion');
    await client.patch(target, { metadata: { resourceVersion }, spec }, 'merge');
    return { name, changed: true };
  });
}
