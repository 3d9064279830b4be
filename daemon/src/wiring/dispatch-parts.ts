/**
 * Creates the parts of dispatch with what each needs of others: what may run here, this node as a target, this node as a starter. Starts
 * none of them.
 */
import { join } from 'node:path';
import type { SigningKey } from '../../../protocol/keys/signing.ts';
import { nodeKind } from '../../../protocol/kinds/node.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { Access, Audit } from '../access/access.types.ts';
import { decideMove } from '../access/moves.ts';
import { type Bundles, createBundles } from '../catalog/bundles/bundles.ts';
import { createModels } from '../catalog/bundles/models.ts';
import { createOtherModels } from '../catalog/bundles/other-models.ts';
import type { Federation } from '../catalog/federation/federation.types.ts';
import type { PeerApi } from '../catalog/federation/peer-api.types.ts';
import { createModules, type Modules } from '../catalog/modules/modules.ts';
import type { ModuleEvents } from '../catalog/modules/ports.ts';
import type { Secrets } from '../catalog/secrets/secrets.ts';
import { Carrying } from '../dispatch/carrying/carrying.ts';
import { createContent } from '../dispatch/content/content.ts';
import type { ContentStore } from '../dispatch/content/content.types.ts';
import type { Members, Nodes } from '../dispatch/dispatch.types.ts';
import { createExecutions } from '../dispatch/execution/executions.ts';
import type { Executions, StartedExecutions } from '../dispatch/execution/executions.types.ts';
import type { Holding } from '../dispatch/hold/hold.types.ts';
import { createHolding } from '../dispatch/hold/holding.ts';
import { offerBundle } from '../dispatch/hold/large-bundles.ts';
import { acceptHeld } from '../dispatch/hold/to-target.ts';
import { createPolicy, type Policy } from '../dispatch/policy/policy.ts';
import { Publishers } from '../dispatch/policy/publishers.ts';
import { createRunner } from '../dispatch/runner/runner.ts';
import { createSpools } from '../dispatch/runner/spools.ts';
import { createTarget } from '../dispatch/target/target.ts';
import type { Target } from '../dispatch/target/target.types.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';
import { dispatchMembers, dispatchNodes, executionNames, goneMembers } from './dispatch-ports.ts';

export interface DispatchPartsOptions {
  store: ObjectStore;
  /** This node's name. */
  node: { name: string };
  /** The data directory. */
  directory: string;
  signingKey: SigningKey;
  environment: Readonly<Record<string, string | undefined>>;
  mesh: Mesh;
  access: Access;
  audit: Audit;
  secrets: Secrets;
  federation: Federation;
  peers: PeerApi;
  events: ModuleEvents;
  logger: Logger;
  now(): number;
}

export interface DispatchParts extends Here, Code {
  target: Target;
  holding: Holding;
  executions: Executions;
  carrying: Carrying;
}

export function createDispatchParts(options: DispatchPartsOptions): DispatchParts {
  const here = hereOf(options);
  const code = createCode(options, here);
  const target = createTargetOf(options, here, code, () => executions.started);
  const holding = createHoldingFor(options, here, code, target);
  const executions: Executions = createStarter(options, here, code, target, holding);
  const { members } = here;
  const { store, logger, now } = options;
  const carrying = new Carrying({ members, holding, target, executions, rows: store.kv, logger, now });
  return { ...here, ...code, target, holding, executions, carrying };
}

/** This node and those around it, as dispatch sees them. */
interface Here {
  self: { name: string; signingKey: string };
  members: Members;
  nodes: Nodes;
  /** Whether a key belonged to a member that is gone. */
  isGone(member: string): boolean;
  /** The signing key of a node, by the node's name. */
  signingKeyOf(name: string): Promise<string | undefined>;
  /** This node's own Node object. */
  nodeObject(): Promise<ApiObject | undefined>;
}

function hereOf({ store, node, mesh, signingKey }: DispatchPartsOptions): Here {
  const members = dispatchMembers(mesh);
  const nodes = dispatchNodes(store, node.name, members);
  return {
    self: { name: node.name, signingKey: signingKey.publicKey },
    members,
    nodes,
    isGone: goneMembers(mesh),
    signingKeyOf: async (name) => (await nodes.list()).find((one) => one.node === name)?.signingKey,
    nodeObject: () => store.get({ group: nodeKind.group, plural: nodeKind.plural, namespace: '', name: node.name }),
  };
}

/** Code, its publishers, and the bundles of the resources that it runs for. */
interface Code {
  content: ContentStore;
  modules: Modules;
  bundles: Bundles;
  policy: Policy;
  publishers: Publishers;
}

function createCode(options: DispatchPartsOptions, { members, nodes, isGone, signingKeyOf }: Here): Code {
  const { store, node, directory, signingKey, access, events, logger, now } = options;
  const deciding = { decide: access.decide.bind(access), decideMove: decideMove.bind(undefined, access) };
  const content = createContent({ directory: join(directory, 'content'), members, rows: store.kv, logger, now });
  return {
    content,
    modules: createModules({
      store,
      node,
      directory: join(directory, 'modules'),
      signingKey,
      content,
      nodes,
      events,
      ...deciding,
      logger,
    }),
    bundles: createBundles({ store, node, signingKey, ...deciding }),
    policy: createPolicy({ store, node, signingKeyOf }),
    publishers: new Publishers({ store, node, nodes, members, isGone, logger }),
  };
}

function createTargetOf(
  options: DispatchPartsOptions,
  { self, members, nodeObject }: Here,
  { policy, modules, content }: Code,
  started: () => StartedExecutions,
): Target {
  const { store, directory, access, audit, secrets, environment, logger, now } = options;
  return createTarget({
    store,
    node: self,
    directory,
    members,
    access,
    audit,
    policy,
    modules,
    content,
    runner: createRunner({ directory: join(directory, 'dispatch', 'runner'), logger }),
    spools: createSpools(),
    secrets: secrets.values,
    nodeObject,
    started,
    environment,
    logger,
    now,
  });
}

function createHoldingFor(
  { store, node, logger, now }: DispatchPartsOptions,
  { members, isGone }: Here,
  { content }: Code,
  target: Target,
): Holding {
  return createHolding({
    node,
    members,
    rows: store.kv,
    accept: acceptHeld(target, content),
    offer: offerBundle.bind(undefined, content),
    isTaken: async ({ id, index }) => (await target.known(id, index)) !== undefined,
    cancelled: (from, which) => target.cancelled(from, which),
    isGone,
    logger,
    now,
  });
}

function createStarter(
  { store, node, directory, access, audit, federation, peers, logger, now }: DispatchPartsOptions,
  { self, members, nodes, isGone, signingKeyOf }: Here,
  { content, modules, bundles, policy }: Code,
  target: Target,
  holding: Holding,
): Executions {
  const models = createModels({
    store,
    node,
    decide: access.decide.bind(access),
    bundles,
    others: createOtherModels({ federation, peers }),
    installed: target.installed,
    signingKeyOf,
  });
  return createExecutions({
    store,
    node: self,
    members,
    isGone,
    models,
    nodes,
    modules,
    content,
    target,
    holding,
    access,
    audit,
    directory,
    keep: async () => (await policy.read()).limits,
    names: executionNames(store.kv, node.name),
    logger,
    now,
  });
}
