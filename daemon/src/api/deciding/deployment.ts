/** Decides whether a change may deploy a resource on a node. */
import { isRecord } from '../../../../protocol/encoding/json.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { nodeKind } from '../../../../protocol/kinds/node.ts';
import { resourceKind } from '../../../../protocol/kinds/resource.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import { noteDecision } from '../request/audit-note.ts';
import type { Api, ApiContext, Target } from '../request/request.ts';
import { refusal } from './deciding.ts';

/** A parent that is a node. */
const NODE_PARENT = /^node\/(.+)$/;

/** Nodes on which a change newly deploys a resource. */
export function deployedOn(kind: Target['kind'], stored: ApiObject | undefined, changed: ApiObject): string[] {
  if (kind.group !== DTKD_GROUP || kind.plural !== resourceKind.plural) return [];
  const parents = (object: ApiObject | undefined): unknown[] => {
    const spec = object?.['spec'];
    return isRecord(spec) && Array.isArray(spec['parents']) ? spec['parents'] : [];
  };
  const had = new Set(parents(stored));
  return parents(changed).flatMap((parent) => {
    const node = typeof parent === 'string' && !had.has(parent) ? NODE_PARENT.exec(parent)?.[1] : undefined;
    return node === undefined ? [] : [node];
  });
}

/** The store, or a transaction of it. */
export interface Reader {
  get(ref: ObjectRef): Promise<ApiObject | undefined>;
}

/** Deploying a resource on this node needs EXECUTE here. Other nodes decide for themselves when they are asked to run something of it. */
export async function permitDeployment(api: Api, c: ApiContext, reader: Reader, nodes: readonly string[]): Promise<void> {
  if (c.get('principal').type === 'operator') return;
  for (const name of nodes.filter((one) => one === api.node.name)) {
    const ref = { group: nodeKind.group, plural: nodeKind.plural, name };
    const node = await reader.get({ ...ref, namespace: '' });
    const decision = api.access.decide(c.get('principal'), { verb: 'EXECUTE', ...ref, ...(node === undefined ? {} : { object: node }) });
    if (decision.allowed) continue;
    noteDecision(c.get('note'), decision);
    throw refusal(api, c, 'EXECUTE', { kind: nodeKind, name }, decision.reason);
  }
}
