import { DtkdError } from '../../protocol/errors.ts';
import { trustKind } from '../../protocol/kinds/trust.ts';
import { AUTHOR_ANNOTATION, parseNameAtNode } from '../../protocol/rights/principal.ts';
import { type JsonRecord, listAt, textAt } from '../json.ts';
import { type ApiClient, type Target, THIS_NODE } from './api.ts';
import { whileRaced } from './raced.ts';

/** A trust by `NAME` (of this node) or `NAME@NODE`. */
export function trustTarget(text: string): Target {
  const at = parseNameAtNode(text);
  if (at !== undefined) return { kind: trustKind, namespace: at.node, name: at.name };
  if (text.includes('@')) throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 120)}" is not TRUST or TRUST@NODE`);
  return { kind: trustKind, namespace: THIS_NODE, name: text };
}

/** `NAME@NODE` of a trust object. */
export function displayOfTrust(trust: JsonRecord): string {
  return `${textAt(trust, 'metadata', 'name') ?? ''}@${textAt(trust, 'metadata', 'namespace') ?? ''}`;
}

/** A sentence with the number of members of a trust. */
export function memberCount(trust: JsonRecord): string {
  const count = listAt(trust, 'spec', 'members').length;
  return `${displayOfTrust(trust)} has ${count} ${count === 1 ? 'member' : 'members'} now.`;
}

/**
 * Refuses to change another node's trust: what its node publishes need not name all members, and writing that back would drop the others.
 */
function assertKeptHere(trust: JsonRecord): void {
  if (textAt(trust, 'metadata', 'annotations', AUTHOR_ANNOTATION) === undefined) return;
  const node = textAt(trust, 'metadata', 'namespace') ?? '';
  throw new DtkdError('FORBIDDEN', `${displayOfTrust(trust)} is kept by ${node}, and only ${node} knows its members`, {
    next: `Run this on ${node}.`,
  });
}

/** Changes the members of a trust; tries again if somebody else changed it meanwhile. */
export async function changeMembers(client: ApiClient, text: string, change: (members: string[]) => string[]): Promise<JsonRecord> {
  const target = trustTarget(text);
  return whileRaced(async () => {
    const trust = await client.get(target);
    assertKeptHere(trust);
    const members = change(listAt(trust, 'spec', 'members').map(String));
    return client.patch(
      target,
      { metadata: { resourceVersion: textAt(trust, 'metadata', 'resourceVersion') }, spec: { members } },
      'merge',
    );
  });
}
