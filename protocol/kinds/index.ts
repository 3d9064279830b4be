import { assemblyKind } from './assembly.ts';
import { capabilityKind } from './capability.ts';
import { deploymentKind } from './deployment.ts';
import { dtAppKind } from './dtapp.ts';
import { dtDomainKind } from './dtdomain.ts';
import { dtPeerKind } from './dtpeer.ts';
import { endpointSliceKind } from './endpoint-slice.ts';
import { endpointsKind } from './endpoints.ts';
import { eventKind } from './event.ts';
import { executionKind } from './execution.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import { modelKind } from './model.ts';
import { moduleKind } from './module.ts';
import { namespaceKind } from './namespace.ts';
import { nodeKind } from './node.ts';
import { policyKind } from './policy.ts';
import { releaseKind } from './release.ts';
import { resourceKind } from './resource.ts';
import { secretKind } from './secret.ts';
import { serviceKind } from './service.ts';
import { serviceInstanceKind } from './service-instance.ts';
import { shareKind } from './share.ts';
import { taskKind } from './task.ts';
import { trustKind } from './trust.ts';
import { typeKind } from './type.ts';
import { userKind } from './user.ts';

/** Every kind that this version serves. To add a kind, add a file and a line here. */
export const KINDS: readonly Kind[] = [
  namespaceKind,
  serviceKind,
  endpointsKind,
  eventKind,
  dtDomainKind,
  dtPeerKind,
  dtAppKind,
  nodeKind,
  modelKind,
  typeKind,
  resourceKind,
  userKind,
  capabilityKind,
  trustKind,
  shareKind,
  moduleKind,
  assemblyKind,
  releaseKind,
  serviceInstanceKind,
  taskKind,
  deploymentKind,
  executionKind,
  policyKind,
  secretKind,
  endpointSliceKind,
];

/** An index, since every decision about an object looks up its kind. */
const BY_PLURAL: ReadonlyMap<string, ReadonlyMap<string, Kind>> = new Map(
  KINDS.map(({ group }) => [group, new Map(KINDS.flatMap((kind) => (kind.group === group ? [[kind.plural, kind]] : [])))]),
);

/** Finds a kind by its path segment. */
export function kindByPlural(group: string, plural: string): Kind | undefined {
  return BY_PLURAL.get(group)?.get(plural);
}

/** Finds a kind by the `apiVersion` and `kind` of a document. */
export function kindOf(document: { apiVersion?: unknown; kind?: unknown }): Kind | undefined {
  return KINDS.find((kind) => kind.kind === document.kind && apiVersionOf(kind) === document.apiVersion);
}

/** Finds a kind by any name that a person may type: kind, plural, singular or short name, alone or followed by its group. */
export function kindByAnyName(text: string): Kind | undefined {
  const wanted = text.toLowerCase();
  return KINDS.find((kind) =>
    [kind.kind.toLowerCase(), kind.plural, kind.singular, ...kind.shortNames].some(
      (name) => wanted === name || (kind.group !== '' && wanted === `${name}.${kind.group}`),
    ),
  );
}
