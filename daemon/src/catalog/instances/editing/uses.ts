/** Where a service names one of its components. Pure. */
import type { ServiceStep } from '../../../../../protocol/definitions/assembly.ts';
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';

/** Places that would name a missing component if this one were removed. */
export function usesOf(component: string, service: ServiceFile): string[] {
  const uses: string[] = [];
  for (const [name, other] of Object.entries(service.components ?? {})) {
    if (name === component) continue;
    for (const [link, to] of Object.entries(other.links ?? {})) {
      if ((typeof to === 'string' ? to : to.to) === component) uses.push(`${name}.links.${link}`);
    }
    if (other.after?.includes(component) === true) uses.push(`${name}.after`);
    if (other.parents?.includes(component) === true) uses.push(`${name}.parents`);
  }
  for (const [app, { component: of }] of Object.entries(service.apps ?? {})) if (of === component) uses.push(`apps.${app}`);
  for (const [part, value] of [['apps', service.apps] as const, ['offers', service.offers] as const]) {
    for (const [name, inner] of Object.entries(value ?? {})) {
      if (JSON.stringify(inner).includes(`\${components.${component}.`)) uses.push(`${part}.${name}`);
    }
  }
  for (const [workflow, { steps }] of Object.entries(service.workflows ?? {})) {
    if (steps.some((step) => namesIt(step, component, service))) uses.push(`workflows.${workflow}`);
  }
  return [...new Set(uses)];
}

function namesIt(step: ServiceStep, component: string, service: ServiceFile): boolean {
  const { component: named = '' } = step;
  // `web-2` is a resource of `web`, unless there is a component of that name
  const of = Object.hasOwn(service.components ?? {}, named) ? named : named.replace(/-[0-9]+$/, '');
  return of === component || (step.steps?.some((inner) => namesIt(inner, component, service)) ?? false);
}
