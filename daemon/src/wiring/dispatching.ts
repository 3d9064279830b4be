/** Dispatch as a part of the daemon: starts its parts in order, stops them in reverse, and offers them to the API and to other parts. */
import { executionKind } from '../../../protocol/kinds/execution.ts';
import { policyKind } from '../../../protocol/kinds/policy.ts';
import { secretKind } from '../../../protocol/kinds/secret.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { ApiContent } from '../api/api.types.ts';
import type { Action, KindHandler } from '../api/handlers.types.ts';
import { carriedModules, isCarriedHere } from '../catalog/modules/carried.ts';
import type { Modules } from '../catalog/modules/modules.ts';
import { contentForClients } from '../dispatch/content/for-clients.ts';
import type { Nodes } from '../dispatch/dispatch.types.ts';
import type { Executions } from '../dispatch/execution/executions.types.ts';
import type { Target } from '../dispatch/target/target.types.ts';
import type { ParcelsOptions } from '../parcels/parcels.types.ts';
import { Stops } from '../process/stopping.ts';
import { createDispatchParts, type DispatchParts, type DispatchPartsOptions } from './dispatch-parts.ts';

export interface DispatchFigures extends ReturnType<Executions['figures']> {
  /** Figures of this node as a target. */
  here: ReturnType<Target['figures']> & ReturnType<Target['counts']>;
  /** Orders held here, for all starters. `firstExpiry`: milliseconds since the epoch. */
  held: { orders: number; bytes: number; firstExpiry: number | undefined };
  /** Files stored by their digest. */
  content: { files: number; bytes: number };
}

/** What dispatch offers to the API and to other parts. */
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
  /** For metrics and checkups. */
  figures(): DispatchFigures;
  stop(): Promise<void>;
}

export async function startDispatching(given: DispatchPartsOptions): Promise<Dispatching> {
  const options = { ...given, logger: given.logger.child({ part: 'dispatch' }) };
  const parts = createDispatchParts(options);
  const stops = new Stops(options.logger);
  try {
    await startParts(parts, stops);
  } catch (error) {
    await stops.stop();
    throw error;
  }
  return offered(options, parts, () => stops.stop());
}

async function startParts(parts: DispatchParts, stops: Stops): Promise<void> {
  const { policy, bundles, content, modules, publishers, target, holding, executions, carrying } = parts;
  stops.push(() => policy.stop());
  stops.push(() => bundles.stop());
  await stops.start(content);
  await stops.start(modules);
  // before anything can run
  await stops.start(publishers);
  await stops.start(target);
  await stops.start(holding);
  await executions.start();
  stops.push(() => executions.close());
  await stops.start(carrying);
}

function offered({ store, secrets }: DispatchPartsOptions, parts: DispatchParts, stop: () => Promise<void>): Dispatching {
  const { members, nodes, nodeObject, content, modules, bundles, policy, target, holding, executions, carrying } = parts;
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
