/** A model of one owner with its resources and types, and nodes around it, for planning. */
import { join } from 'node:path';
import type { Member, Models, NodeView, ResourceMatch } from '../../../daemon/src/dispatch/dispatch.types.ts';
import type { Plan } from '../../../daemon/src/dispatch/plan/plan.types.ts';
import { createPlanner, type Planner } from '../../../daemon/src/dispatch/plan/planner.ts';
import { inlineCode } from '../../../protocol/definitions/code.ts';
import { type Commands, commands as commandsSchema } from '../../../protocol/definitions/commands.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { signingKeyFromSeed } from '../../../protocol/keys/signing.ts';
import type { Bundle, BundledResource } from '../../../protocol/orders/bundle.ts';
import { signBundle } from '../../../protocol/orders/signed-bundle.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import { silentLogger } from '../../silent-logger.ts';
import { domainId, keyOf } from '../fake-members.ts';

export const DESK = 'desk';
export const OPS: Principal = { type: 'user', home: 'self', name: 'ops', uid: 'uid-ops', display: 'ops@desk' };

export const keyFor = (node: string) => signingKeyFromSeed(Buffer.from(node.padEnd(32, '.')).subarray(0, 32));

export interface GivenResource {
  type: string;
  on?: readonly string[];
  children?: readonly string[];
  properties?: Record<string, unknown>;
  owner?: string;
  model?: string;
}

export interface GivenType {
  extends?: string;
  commands?: unknown;
}

export interface Given {
  nodes?: Readonly<Record<string, object>>;
  types: Readonly<Record<string, GivenType>>;
  resources: Readonly<Record<string, GivenResource>>;
  unanswered?: string[];
  /** Nodes that say the signing key of another is theirs, by name. */
  claims?: Readonly<Record<string, string>>;
}

/** Resources and types as their owners give them. */
export function modelsOf(given: Given): Models {
  return {
    async find(_principal, by, limit) {
      const items = Object.entries(given.resources).map(([name, one]) => matchOf(name, one));
      return { items: items.filter((one) => fits(one, by)).slice(0, limit), unanswered: given.unanswered ?? [] };
    },
    async bundle(_principal, { node, object }) {
      const resource = given.resources[object];
      if (resource === undefined || (resource.owner ?? DESK) !== node) throw new DtkdError('NOT_FOUND', `no ${object}`);
      return bundleOf(given, object);
    },
  };
}

export function plannerFor(given: Given): Planner {
  const views = [
    viewOf(DESK, given.nodes?.[DESK] ?? {}, true),
    ...Object.entries(given.nodes ?? {})
      .filter(([node]) => node !== DESK)
      .map(([node, spec]) => viewOf(node, spec, false, given.claims?.[node])),
  ];
  return createPlanner({
    node: { name: DESK, signingKey: keyFor(DESK).publicKey },
    models: modelsOf(given),
    nodes: { list: async () => views },
    modules: { get: async () => undefined, keep: async () => Promise.reject(new Error('no modules')) },
    content: { fetch: async () => join('/', 'nowhere') },
    logger: silentLogger,
  });
}

function matchOf(name: string, { type, owner = DESK, model = 'demo' }: GivenResource): ResourceMatch {
  return { node: owner, object: name, model, type, name };
}

function fits(one: ResourceMatch, by: { node?: string; model?: string; type?: string; name?: string }): boolean {
  return (
    (by.node ?? one.node) === one.node &&
    (by.model ?? one.model) === one.model &&
    (by.type ?? one.type).toLowerCase() === one.type.toLowerCase() &&
    (by.name ?? one.name) === one.name
  );
}

export function viewOf(node: string, spec: object, self: boolean, claimed = node): NodeView {
  const member: Member = {
    node,
    domain: domainId('site'),
    key: keyOf(node, domainId('site')),
    selfKey: keyOf(DESK, domainId('site')),
    reach: 'connected',
  };
  return {
    node,
    self,
    object: {
      apiVersion: 'dtkd.dev/v1',
      kind: 'Node',
      metadata: { name: node, uid: `uid-${node}`, resourceVersion: '1', generation: 1, creationTimestamp: '' },
      spec,
      status: { facts: { hostname: node } },
    },
    signingKey: keyFor(claimed).publicKey,
    member: self ? undefined : member,
  };
}

function bundleOf(given: Given, object: string): Uint8Array {
  const owner = keyFor(given.resources[object]?.owner ?? DESK);
  const resourceOf = (name: string): BundledResource => {
    const { type, on = [], children = [], properties = {}, model = 'demo' } = given.resources[name] ?? { type: '' };
    return {
      object: name,
      uid: `uid-${name}`,
      model,
      type,
      name,
      labels: {},
      properties,
      parents: Object.entries(given.resources).flatMap(([other, one]) => (one.children?.includes(name) === true ? [other] : [])),
      children: [...children],
      deployments: on.map((node) => ({
        node,
        ...(given.nodes?.[node] === undefined && node !== DESK ? {} : { signingKey: keyFor(node).publicKey }),
      })),
    };
  };
  const types: Bundle['types'] = {};
  for (const [name, { extends: base, commands }] of Object.entries(given.types)) {
    const own: Commands | undefined = commands === undefined ? undefined : commandsSchema.parse(commands);
    types[name.toLowerCase()] = {
      name,
      ...(base === undefined ? {} : { extends: base }),
      ...(own === undefined ? {} : { commands: own, code: inlineCode(name, own, owner.publicKey) }),
    };
  }
  return signBundle(
    {
      version: 1,
      owner: owner.publicKey,
      ownerName: given.resources[object]?.owner ?? DESK,
      revision: 1,
      resources: [resourceOf(object)],
      types,
      modules: [],
    },
    owner,
  );
}

/** `stage: node command` of each target. */
export function lines({ parts }: Plan): string[] {
  return parts.map(
    ({ target, work, stage }) =>
      `${stage}: ${target.node} ${work.type === 'command' ? `${work.resource.name} ${work.command}` : work.type}`,
  );
}
