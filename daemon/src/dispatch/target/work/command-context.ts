/** A bundle as commands see it on this node. Pure. */
import type { ModuleManifest } from '../../../../../protocol/definitions/module.ts';
import type { Bundle, BundledResource } from '../../../../../protocol/orders/bundle.ts';
import type { CommandContext, ReadyScript } from '../../commands/commands.types.ts';
import type { PreparedStep, PreparedWork } from '../../commands/prepared.types.ts';
import { chainsOf } from '../../plan/chains.ts';
import { resourceDirectory } from '../install/safe-name.ts';

export interface Here {
  /** `data`: the data directory. */
  node: string;
  signingKey: string;
  data: string;
}

export function isDeployedHere({ deployments }: BundledResource, signingKey: string): boolean {
  return deployments.some((one) => one.signingKey === signingKey);
}

/** What a command of one of the bundle's resources sees. Errors: CONTENT_ALTERED if a type is not in its module. */
export function contextOf(
  bundle: Bundle,
  resource: BundledResource,
  manifests: ReadonlyMap<string, ModuleManifest>,
  { node, signingKey, data }: Here,
): CommandContext {
  const here = new Map(bundle.resources.filter((one) => isDeployedHere(one, signingKey)).map((one) => [one.object, one]));
  const among = (names: readonly string[]) =>
    [...new Set(names)].flatMap((name) => {
      const found = here.get(name);
      return found === undefined ? [] : [found];
    });
  return {
    resource,
    chainOf: chainsOf(bundle, manifests),
    related: (one, over) => among(over === 'children' ? one.children : over === 'parents' ? one.parents : [one.object]),
    node,
    directoryOf: (one) => resourceDirectory(data, bundle.owner, one),
  };
}

/** All scripts that a command may run, including its handlers. */
export function scriptsOf(work: PreparedWork): Omit<ReadyScript, 'step'>[] {
  switch (work.kind) {
    case 'script':
      return [work.script];
    case 'workflow':
      return work.steps.flatMap(ofStep);
    case 'dispatch':
      return work.groups.flat().flatMap((one) => scriptsOf(one.work));
  }
}

function ofStep({ work, onFailure }: PreparedStep): Omit<ReadyScript, 'step'>[] {
  return [...scriptsOf(work), ...(typeof onFailure === 'string' ? [] : onFailure.flatMap(ofStep))];
}

/** Names of the secrets that scripts use, each once. */
export function secretsOf(scripts: readonly Pick<ReadyScript, 'resource' | 'script'>[]): string[] {
  return [...new Set(scripts.flatMap(({ resource, script }) => (script.secrets ?? []).flatMap((use) => secretName(resource, use) ?? [])))];
}

/** The Secret that a use refers to: by name, or by a property of the resource. */
export function secretName(
  { properties }: Pick<BundledResource, 'properties'>,
  { name, property }: { name?: string | undefined; property?: string | undefined },
): string | undefined {
  if (name !== undefined) return name;
  const value = property !== undefined && Object.hasOwn(properties, property) ? properties[property] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
