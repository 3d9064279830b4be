/** What the files of one instance see of the node when they are expanded: nodes, Secrets, targets and other services as applied. */

import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import { refIn } from '../../model/objects.ts';
import { isForeign } from '../apply/taken.ts';
import { CopiedTypes } from '../desired/copied-types.ts';
import type { ServiceView, TargetView, World } from '../desired/desired.types.ts';
import { BUILTINS, expand } from '../desired/expand.ts';
import { Findings } from '../desired/findings.ts';
import type { AppliedResource, ServiceFiles } from '../instances.types.ts';
import { appliedOf } from '../tasks/applied-rows.ts';
import type { ConvergePorts } from './converge.types.ts';
import { type Instance, instanceOf, instanceRef } from './instance-object.ts';

/** How many levels of targets of targets are followed. */
const MAX_DEPTH = 8;

type Ports = Pick<ConvergePorts, 'store' | 'node' | 'nodes' | 'secrets' | 'files' | 'decide'>;

/**
 * `applied`: the instance's own rows. `asker`: only other services that this principal may READ are visible, since their values
 * flow into the instance; undefined for files whose asker was judged before.
 */
export function worldOf(ports: Ports, applied: ReadonlyMap<string, AppliedResource>, asker: Principal | undefined, depth = 0): World {
  const { node, nodes, secrets } = ports;
  return {
    node,
    nodes,
    applied,
    secrets,
    builtins: BUILTINS,
    async isTaken(instance, plural, name) {
      const object = await ports.store.get(refIn(node, plural, name));
      return object !== undefined && isForeign(object, instance);
    },
    async isAppTaken(instance, { group, plural }, { node: namespace, name }) {
      const object = await ports.store.get({ group, plural, namespace, name });
      return object !== undefined && isForeign(object, instance);
    },
    target: (name) => targetView(ports, name, asker, depth),
    service: (name) => serviceView(ports, name, asker),
  };
}

async function targetView(ports: Ports, name: string, asker: Principal | undefined, depth: number): Promise<TargetView | undefined> {
  const found = await findInstance(ports, name, asker);
  if (found === undefined || depth >= MAX_DEPTH) return undefined;
  const { spec, status } = found;
  const view = { name, isTarget: spec.role === 'target', kind: spec.kind, phase: status.phase, offers: {}, secretOffers: [] };
  const files = view.isTarget ? await appliedFiles(ports, found) : undefined;
  if (files === undefined) return view;
  const { desired } = await expand(files, worldOf(ports, await appliedOf(ports.store.kv, name), undefined, depth + 1));
  return { ...view, offers: desired.offers, secretOffers: desired.secretOffers };
}

async function serviceView(ports: Ports, name: string, asker: Principal | undefined): Promise<ServiceView | undefined> {
  const found = await findInstance(ports, name, asker);
  if (found === undefined) return undefined;
  const files = await appliedFiles(ports, found);
  const types = new CopiedTypes(files?.copies.values() ?? [], BUILTINS, new Findings(() => ''));
  const rows = await appliedOf(ports.store.kv, name);
  const resources = await Promise.all(
    [...rows.values()].map(async ({ name: resource, component, node, type, properties, secrets }) => {
      const resolved = await types.resolve(type);
      const defaults = [...(resolved?.properties ?? [])].flatMap(([property, { rule }]) =>
        rule.default === undefined ? [] : [[property, rule.default]],
      );
      return {
        name: resource,
        component,
        node,
        types: resolved?.lineage ?? [type],
        properties: { ...Object.fromEntries(defaults), ...properties },
        secrets,
      };
    }),
  );
  return { name, phase: found.status.phase, resources };
}

async function findInstance({ store, node, decide }: Ports, name: string, asker: Principal | undefined): Promise<Instance | undefined> {
  const ref = instanceRef(node, name);
  const object = await store.get(ref);
  if (object === undefined) return undefined;
  const { group, plural } = ref;
  if (asker?.type === 'user' && !decide(asker, { verb: 'READ', group, plural, name, object }).allowed) return undefined;
  return instanceOf(object);
}

/** The instance's files at the applied commit. Undefined: nothing is applied, or the commit is gone. */
async function appliedFiles({ files }: Ports, { object, status }: Instance): Promise<ServiceFiles | undefined> {
  if (status.applied === undefined) return undefined;
  try {
    return (await files.at(object.metadata.name, status.applied)).files;
  } catch (error) {
    if (error instanceof DtkdError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
