/**
 * Expands the files of an instance to resources on nodes, with every value resolved. Reads the world through ports and changes
 * nothing. Reports all faults together, each once, and none that only follows from another.
 */
import { missingOptions } from '../../../../../protocol/definitions/option-value.ts';
import { BUILTIN_TYPES } from '../../../../../protocol/modules/builtin-types.ts';
import type { NamedType } from '../../model/resolved-type.ts';
import type { DesiredResource, ServiceFiles } from '../instances.types.ts';
import { appsOf } from './apps.ts';
import { askedFor } from './commands-of.ts';
import type { Components, ExpandedComponent } from './component.ts';
import { type ComponentType, CopiedTypes, UNDEFINED } from './copied-types.ts';
import { judgeCopies } from './copies.ts';
import type { Expanded, World } from './desired.types.ts';
import { type FilePath, Findings } from './findings.ts';
import { interpolate } from './interpolation.ts';
import { judgeValues } from './judged.ts';
import { resolveLinks, servicesOf } from './links.ts';
import { judgeNames } from './names.ts';
import { needsOf } from './needs.ts';
import { isKnown } from './outcome.ts';
import { parametersOf } from './parameters.ts';
import { Placing } from './placement.ts';
import { parentsOf } from './relations.ts';
import { componentDigest, resourceDigest } from './resource-digest.ts';
import { Scope } from './scope.ts';
import { judgeSecrets } from './secrets.ts';
import { type Target, targetOf } from './target.ts';
import { judgeTexts } from './texts.ts';
import { Values } from './values.ts';
import { workflowsOf } from './workflows.ts';

/** The types that every node has. */
export const BUILTINS: readonly NamedType[] = BUILTIN_TYPES.map(({ name, ...spec }) => ({ name, spec }));

/** Expands the files of an instance. With violations, `desired` may only be shown. Throws only what the ports throw. */
export async function expand(files: ServiceFiles, world: World): Promise<Expanded> {
  const { service, copies } = files;
  const findings = new Findings((path) => files.place(path));
  const types = new CopiedTypes(copies.values(), world.builtins, findings, { complete: judgeCopies(files, findings) });
  await types.judge();
  const target = await targetOf(service, world, findings);
  const scope = new Scope(target, findings);
  scope.parameters = await parametersOf(service, scope, findings);
  const known = await world.nodes.list();
  const components = await componentsOf(files, world, { types, scope, target, findings, known: new Set(known.map(({ name }) => name)) });
  const links = resolveLinks(service.name, components, await servicesOf(service.name, components, world), findings);
  const addressOf = new Map(known.map(({ name, address }) => [name, address]));
  const addresses = { of: (node: string) => addressOf.get(node), alone: known.length < 2 };
  const values = new Values({ components, links, scope, target, addresses, findings });
  scope.components = (reference, path) => values.referred(reference, path);
  const parents = parentsOf(components, findings);
  const needs = needsOf(components, links, findings);
  const resources = new Map<string, DesiredResource>();
  for (const component of components.values()) {
    for (const resource of resourcesOf(service.name, component, values, parents, needs.get(component.name) ?? [], findings))
      resources.set(resource.name, resource);
  }
  judgeTexts(service.name, components, values, findings);
  await judgeSecrets({ service: service.name, node: world.node, secrets: world.secrets }, components, values, findings);
  const apps = appsOf(service, components, values, scope, findings);
  await judgeNames(service.name, { types: types.own, resources, apps }, world, findings);
  const offers = await offersOf(files, world, scope, findings);
  const workflows = workflowsOf(service, components, scope, findings);
  return { desired: { resources, apps, types: types.own, ...offers, workflows }, violations: findings.list };
}

async function componentsOf(
  { service }: ServiceFiles,
  world: World,
  {
    types,
    scope,
    target,
    findings,
    known,
  }: { types: CopiedTypes; scope: Scope; target: Target; findings: Findings; known: ReadonlySet<string> },
): Promise<Components> {
  const placing = new Placing({ node: world.node, nodes: world.nodes, applied: world.applied, known }, scope, target, findings);
  const components = new Map<string, ExpandedComponent>();
  for (const [name, written] of Object.entries(service.components ?? {})) {
    const type = await types.resolve(written.type);
    if (!types.has(written.type)) types.unknown(['components', name, 'type'], written.type, UNDEFINED);
    if (type?.abstract === true) {
      findings.add('COMPONENT_CONSTRAINT', ['components', name, 'type'], `type ${type.name} is abstract`, 'Use a type that extends it.');
    }
    if (type !== undefined) judgeActs(type, ['components', name, 'type'], findings);
    components.set(name, { name, written, type, ...(await placing.place(name, written)) });
  }
  return components;
}

/**
 * Commands that a converge runs on its own to bring a resource up. A resource without a working check or delete can still be
 * brought up.
 */
const ACTS = ['create', 'converge'] as const;

/** A converge passes no options to these commands: one that requires an option would always fail, after the steps before it. */
function judgeActs(type: ComponentType, path: FilePath, findings: Findings): void {
  for (const act of ACTS) {
    const [option] = missingOptions(type.commands.get(act)?.options);
    if (option === undefined || type.commands.get(act)?.private === true) continue;
    const message = `the command ${act} of ${type.name} needs the option ${option}, and is run without options`;
    findings.add('COMPONENT_CONSTRAINT', path, message, 'Give the option a default, or a property to take its value from.');
  }
}

function resourcesOf(
  service: string,
  component: ExpandedComponent,
  values: Values,
  parents: ReadonlyMap<string, readonly string[]>,
  needs: readonly string[],
  findings: Findings,
): DesiredResource[] {
  const { properties, secrets } = judgeValues(service, component, values, findings);
  const { type } = component;
  if (type === undefined) return [];
  const port = values.effective(component, 'port');
  const common = {
    component: component.name,
    type: type.name,
    properties,
    needs,
    commands: askedFor(type),
    secrets,
    ...(type.properties.get('port')?.rule.type === 'port' && isKnown(port) && typeof port.value === 'number' ? { port: port.value } : {}),
  };
  const digest = componentDigest(type.name, type.code, properties);
  return component.resources.map(({ name, node }) => {
    const above = parents.get(name) ?? [];
    return { ...common, name, node, parents: above, digest: resourceDigest(digest, node, above) };
  });
}

/** What a target offers. `nodes` must be a valid filter. */
async function offersOf(
  { service }: ServiceFiles,
  world: World,
  scope: Scope,
  findings: Findings,
): Promise<{ offers: Record<string, unknown>; secretOffers: string[] }> {
  const offers: [string, unknown][] = [];
  const secretOffers: string[] = [];
  for (const [name, written] of Object.entries(service.offers ?? {})) {
    const path = ['offers', name];
    const outcome = interpolate(written, scope.at(path, ['parameters', 'target', 'components']));
    if (!isKnown(outcome)) continue;
    if (name === 'nodes' && !(await isFilter(outcome.value, world))) {
      findings.add('ILLEGAL_VALUE', path, 'expected a filter of nodes, such as tags=web, name=node1,node2 or self');
      continue;
    }
    offers.push([name, outcome.value]);
    if (outcome.secret) secretOffers.push(name);
  }
  return { offers: Object.fromEntries(offers), secretOffers };
}

async function isFilter(value: unknown, { nodes }: World): Promise<boolean> {
  if (typeof value !== 'string' || value === '') return false;
  return nodes.matching({ include: value }).then(
    () => true,
    () => false,
  );
}
