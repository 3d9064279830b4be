/** Links of components: where each leads, and which values it carries in which direction. */
import type { Link } from '../../../../../protocol/definitions/assembly.ts';
import type { LinkRule } from '../../../../../protocol/definitions/type-rules.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import { typeKey } from '../../model/objects.ts';
import { isA } from '../../model/resolved-type.ts';
import type { Components, ExpandedComponent } from './component.ts';
import type { ServiceResource, ServiceView, World } from './desired.types.ts';
import { type FilePath, type Findings, listed } from './findings.ts';

/** Where a link leads. */
export type End =
  | { of: 'component'; name: string }
  | { of: 'service'; service: string; resources: readonly ServiceResource[]; counted: boolean }
  | { of: 'target' };

/** A link of a component, with its effective mappings. */
export interface ResolvedLink {
  component: string;
  name: string;
  path: FilePath;
  end: End;
  /** Own property → source at the other end. */
  take: Readonly<Record<string, string>>;
  /** Property at the other end → source at this one. */
  give: Readonly<Record<string, string>>;
}

const TARGET = 'target';

/** The other services of this node to which links lead, each read once. */
export async function servicesOf(own: string, components: Components, world: World): Promise<Map<string, ServiceView | undefined>> {
  const names = new Set<string>();
  for (const { written } of components.values()) {
    for (const link of Object.values(written.links ?? {})) {
      const [service, component] = toOf(link).split('/');
      if (service !== undefined && component !== undefined && service !== own) names.add(service);
    }
  }
  return new Map(await Promise.all([...names].map(async (name) => [name, await world.service(name)] as const)));
}

/** All valid links. Reports invalid ones, and required links that are missing. */
export function resolveLinks(
  own: string,
  components: Components,
  services: ReadonlyMap<string, ServiceView | undefined>,
  findings: Findings,
): ResolvedLink[] {
  const links: ResolvedLink[] = [];
  for (const component of components.values()) {
    const written = component.written.links ?? {};
    for (const [name, link] of Object.entries(written)) {
      const resolved = resolveLink(own, component, name, link, components, services, findings);
      if (resolved !== undefined) links.push(resolved);
    }
    for (const [name, rule] of component.type?.links ?? []) {
      if (rule.required !== true || Object.hasOwn(written, name)) continue;
      const message = `a ${component.type?.name} needs a link ${name}${rule.type === undefined ? '' : ` to a ${rule.type}`}, and has none`;
      findings.add(
        'UNMET_DEPENDENCY',
        ['components', component.name],
        message,
        `dtkd service add-link ${own} ${component.name} ${name} COMPONENT`,
      );
    }
  }
  return links;
}

function resolveLink(
  own: string,
  component: ExpandedComponent,
  name: string,
  link: Link,
  components: Components,
  services: ReadonlyMap<string, ServiceView | undefined>,
  findings: Findings,
): ResolvedLink | undefined {
  const path: FilePath = ['components', component.name, 'links', name];
  const rule = component.type?.links.get(name);
  const inline = typeof link === 'string' ? { to: link, take: undefined, give: undefined } : link;
  if (rule === undefined && component.type !== undefined && inline.take === undefined && inline.give === undefined) {
    const names = [...component.type.links.keys()];
    const near = nearMiss(name, names);
    const meant = near === undefined ? `Its links are: ${listed(names)}.` : `Did you mean ${near}?`;
    findings.add(
      'COMPONENT_CONSTRAINT',
      path,
      `a ${component.type.name} has no link ${name}, and this one does not say what it takes or gives`,
      `${meant} Add \`take\` or \`give\`; if only the order matters, use \`after\`.`,
    );
    return undefined;
  }
  const end = endOf(own, component, toOf(link), rule, path, components, services, findings);
  if (end === undefined) return undefined;
  const take = inline.take ?? rule?.take ?? {};
  const give = inline.give ?? rule?.give ?? {};
  if (Object.keys(give).length > 0 && end.of !== 'component') {
    findings.add(
      'COMPONENT_CONSTRAINT',
      path,
      'values can be given to components of the same service only',
      'Leave `give` out, and let the other component take them.',
    );
    return undefined;
  }
  return { component: component.name, name, path, end, take, give };
}

function endOf(
  own: string,
  { name, type }: ExpandedComponent,
  to: string,
  rule: LinkRule | undefined,
  path: FilePath,
  components: Components,
  services: ReadonlyMap<string, ServiceView | undefined>,
  findings: Findings,
): End | undefined {
  const [first = '', second] = to.split('/');
  if (to === TARGET) {
    if (rule?.type === undefined) return { of: 'target' };
    findings.add('COMPONENT_CONSTRAINT', path, `this link of a ${type?.name} leads to a ${rule.type}, not to the target`);
    return undefined;
  }
  if (second !== undefined && first !== own) return serviceEnd(first, second, services.get(first), rule, path, findings);
  const wanted = second ?? first;
  if (wanted === name) {
    findings.add('DEPENDS_ON_ITSELF', path, `${name} is linked to itself`);
    return undefined;
  }
  const other = components.get(wanted);
  if (other === undefined) {
    const near = nearMiss(wanted, components.keys());
    const next = near === undefined ? `There are: ${listed([...components.keys()])}.` : `Did you mean ${near}?`;
    findings.add('UNKNOWN_COMPONENT', path, `there is no component ${wanted}`, next);
    return undefined;
  }
  if (rule?.type !== undefined && other.type !== undefined && !isA(other.type, rule.type)) {
    findings.add('COMPONENT_CONSTRAINT', path, `it leads to a ${rule.type}, and ${wanted} is a ${other.type.name}`);
    return undefined;
  }
  return { of: 'component', name: wanted };
}

function serviceEnd(
  service: string,
  component: string,
  view: ServiceView | undefined,
  rule: LinkRule | undefined,
  path: FilePath,
  findings: Findings,
): End | undefined {
  if (view === undefined) {
    findings.add('UNMET_DEPENDENCY', path, `there is no service ${service} on this node`, '"dtkd service ls" lists the services.');
    return undefined;
  }
  if (view.phase !== 'Ready') {
    findings.add('TARGET_NOT_READY', path, `the service ${service} is ${view.phase}`, `dtkd converge ${service}`);
    return undefined;
  }
  const resources = view.resources.filter((resource) => resource.component === component);
  if (resources.length === 0) {
    const there = [...new Set(view.resources.map((resource) => resource.component))];
    findings.add('UNKNOWN_COMPONENT', path, `the service ${service} has no component ${component}`, `It has: ${listed(there)}.`);
    return undefined;
  }
  const wanted = rule?.type;
  const other = wanted === undefined ? undefined : resources.find(({ types }) => !types.some((type) => typeKey(type) === typeKey(wanted)));
  if (other !== undefined) {
    findings.add('COMPONENT_CONSTRAINT', path, `it leads to a ${wanted}, and ${service}/${component} is a ${other.types[0] ?? 'resource'}`);
    return undefined;
  }
  return { of: 'service', service, resources, counted: resources.some(({ name }) => name !== component) };
}

function toOf(link: Link): string {
  return typeof link === 'string' ? link : link.to;
}
