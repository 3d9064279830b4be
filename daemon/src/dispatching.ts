/**
 * The parts of dispatch, put together: content, modules and bundles of the catalog, policy, runner, target, holding and the starting side. Starts
 * them in order and stops them in reverse.
 */
import { join } from 'node:path';
import { executionKind } from '../../protocol/kinds/execution.ts';
import { nodeKind } from '../../protocol/kinds/node.ts';
import { policyKind } from '../../protocol/kinds/policy.ts';
import { secretKind } from '../../protocol/kinds/secret.ts';
import type { ApiObject, ObjectRef } from '../../protocol/objects.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import type { Access, Audit } from './access/access.types.ts';
import { decideMove } from './access/moves.ts';
import type { ApiContent } from './api/api.types.ts';
import type { Action, KindHandler } from './api/handlers.types.ts';
import { createBundles } from './catalog/bundles/bundles.ts';
import { createModels } from './catalog/bundles/models.ts';
import { createOtherModels } from './catalog/bundles/other-models.ts';
import type { Federation } from './catalog/federation/federation.types.ts';
import type { PeerApi } from './catalog/federation/peer-api.types.ts';
import { carriedModules, isCarriedHere } from './catalog/modules/carried.ts';
import { createModules, type Modules } from './catalog/modules/modules.ts';
import type { ModuleEvents } from './catalog/modules/ports.ts';
import type { Secrets } from './catalog/secrets/secrets.ts';
import { Carrying } from './dispatch/carrying/carrying.ts';
import { createContent } from './dispatch/content/content.ts';
import { contentForClients } from './dispatch/content/for-clients.ts';
import type { Nodes } from './dispatch/dispatch.types.ts';
import { createExecutions } from './dispatch/execution/executions.ts';
import type { Executions } from './dispatch/execution/executions.types.ts';
import { createHolding } from './dispatch/hold/holding.ts';
import { offerBundle } from './dispatch/hold/large-bundles.ts';
import { acceptHeld } from './dispatch/hold/to-target.ts';
import { createPolicy } from './dispatch/policy/policy.ts';
import { Publishers } from './dispatch/policy/publishers.ts';
import { createRunner } from './dispatch/runner/runner.ts';
import { createSpools } from './dispatch/runner/spools.ts';
import { createTarget } from './dispatch/target/target.ts';
import type { Target } from './dispatch/target/target.types.ts';
import { dispatchMembers, dispatchNodes, goneMembers } from './dispatch-ports.ts';
import type { Logger } from './logging/logger.types.ts';
import type { Mesh } from './mesh/mesh.types.ts';
import type { ParcelsOptions } from './parcels/parcels.types.ts';
import { objectKey, refOfKey } from './store/keys.ts';
import type { Kv } from './store/kv.ts';
import type { ObjectStore } from './store/object-store.types.ts';

export interface DispatchingOptions {
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

export interface DispatchFigures extends ReturnType<Executions['figures']> {
  /** Of this node as a target. */
  here: ReturnType<Target['figures']> & ReturnType<Target['counts']>;
  /** Orders that are held here, for all starters. `firstExpiry`: milliseconds since the epoch. */
  held: { orders: number; bytes: number; firstExpiry: number | undefined };
  /** Files by their digest. */
  content: { files: number; bytes: number };
}

/** What the API offers of it. */
export interface Dispatching {
  kinds: ReadonlyMap<string, KindHandler>;
  subresources: ReadonlyMap<string, Action>;
  actions: ReadonlyMap<string, Action>;
  content: ApiContent;
  /** Orders, answers and modules, as bundle files carry them. */
  parcels: Pick<ParcelsOptions, 'orders' | 'modules'>;
  /** For service instances. */
  modules: Modules;
  executions: Executions;
  nodes: Nodes;
  /** For `dtkd status`. */
  counts(): Record<string, number>;
  /** This node's own Node object. */
  nodeObject(): Promise<ApiObject | undefined>;
  /** For those who watch over the daemon. */
  figures(): DispatchFigures;
  stop(): Promise<void>;
}

export async function startDispatching(options: DispatchingOptions): Promise<Dispatching> {
  const { store, node, directory, signingKey, environment, mesh, access, audit, secrets, federation, peers, now } = options;
  const logger = options.logger.child({ part: 'dispatch' });
  const members = dispatchMembers(mesh);
  const isGone = goneMembers(mesh);
  const nodes = dispatchNodes(store, node.name, members);
  const self = { name: node.name, signingKey: signingKey.publicKey };
  const nodeObject = () => store.get({ group: nodeKind.group, plural: nodeKind.plural, namespace: '', name: node.name });
  const deciding = {
    decide: access.decide.bind(access),
    decideMove: decideMove.bind(undefined, access),
  };
  const keyOf = async (name: string) => (await nodes.list()).find((one) => one.node === name)?.signingKey;

  const content = createContent({ directory: join(directory, 'content'), members, rows: store.kv, logger, now });
  const modules = createModules({
    store,
    node,
    directory: join(directory, 'modules'),
    signingKey,
    content,
    nodes,
    events: options.events,
    ...deciding,
    logger,
  });
  const bundles = createBundles({ store, node, signingKey, ...deciding });
  const policy = createPolicy({ store, node, signingKeyOf: keyOf });
  const publishers = new Publishers({ store, node, nodes, members, isGone, logger });
  const target = createTarget({
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
    started: () => executions.started,
    environment,
    logger,
    now,
  });
  const holding = createHolding({
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
  const models = createModels({
    store,
    node,
    decide: deciding.decide,
    bundles,
    others: createOtherModels({ federation, peers }),
    installed: target.installed,
    signingKeyOf: keyOf,
  });
  const executions = createExecutions({
    store,
    node: self,
    members,
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
    names: (beginning, limit) => namesFrom(store.kv, { ...refOfExecutions, namespace: node.name, name: beginning }, limit),
    logger,
    now,
  });
  const carrying = new Carrying({ members, holding, target, executions, rows: store.kv, logger, now });

  const stops: (() => void | Promise<void>)[] = [() => policy.stop(), () => bundles.stop()];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  try {
    await content.start();
    stops.push(() => content.stop());
    await modules.start();
    // before anything is run
    await publishers.start();
    stops.push(() => publishers.stop());
    await target.start();
    stops.push(() => target.stop());
    await holding.start();
    stops.push(() => holding.stop());
    await executions.start();
    stops.push(() => executions.close());
    await carrying.start();
    stops.push(() => carrying.stop());
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kinds: new Map<string, KindHandler>([
      ...modules.handlers,
      [kindKey(policyKind), policy.handler],
      [kindKey(secretKind), secrets.handler],
      [kindKey(executionKind), executions.handler],
    ]),
    subresources: bundles.subresources,
    actions: new Map<string, Action>([...modules.actions, ...executions.actions]),
    content: contentForClients(content, members),
    modules,
    executions,
    nodes,
    parcels: {
      orders: carrying,
      modules: {
        list: () => carriedModules({ kv: store.kv, content, store }),
        waiting: (domains) => executions.waitingCode(domains),
        has: (signed) => isCarriedHere({ kv: store.kv, content }, signed),
        keep: (signed, archive) => modules.keep(signed, archive),
      },
    },
    nodeObject,
    counts: () => ({ ...target.counts(), held: holding.counts().orders, executions: executions.counts().running }),
    figures: () => ({
      ...executions.figures(),
      here: { ...target.figures(), ...target.counts() },
      held: { ...holding.counts(), firstExpiry: holding.firstExpiry() },
      content: content.counts(),
    }),
    stop,
  };
}

const kindKey = ({ group, plural }: { group: string; plural: string }): string => `${group}/${plural}`;

const refOfExecutions = { group: executionKind.group, plural: executionKind.plural };

/** Names of stored objects that begin as the one given. */
async function namesFrom(kv: Kv, ref: ObjectRef, limit: number): Promise<string[]> {
  const gte = objectKey(ref);
  // no name has a character above it
  const rows = await kv.page({ gte, lt: `${gte}~`, limit, keysOnly: true });
  return rows.map(([key]) => refOfKey(key).name);
}
