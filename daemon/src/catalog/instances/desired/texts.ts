/**
 * Checks the properties that texts refer to when a resource is installed and brought up: a node refuses the command if one has no
 * value. Pure.
 */
import type { Components, ExpandedComponent } from './component.ts';
import type { Findings } from './findings.ts';
import type { Values } from './values.ts';

/** Reports properties that are needed and have no value. */
export function judgeTexts(service: string, components: Components, values: Values, findings: Findings): void {
  for (const component of components.values()) {
    const { type, name, resources } = component;
    if (type === undefined || resources.length === 0) continue;
    for (const { property, where } of type.wanted) {
      const rule = type.properties.get(property)?.rule;
      // a required property is reported as such
      if (rule?.required === true || rule?.dynamic === true) continue;
      if (values.effective(component, property) !== 'unset' || isExported(property, component, components)) continue;
      if (rule === undefined && !type.open) {
        findings.addAt('COMPONENT_CONSTRAINT', where, `refers to \${properties.${property}}, and a ${type.name} has no such property`);
        continue;
      }
      const next = `dtkd service set ${service} ${name}.${property}=${rule?.type === 'secret' ? '-' : 'VALUE'}, or give it a default.`;
      findings.add('REQUIRED_UNSET', values.pathOf(component, property), `${property} has no value, and is needed by ${where}`, next);
    }
  }
}

/** True if a child exports the property: a resource has the properties that its children export. */
function isExported(property: string, { name }: ExpandedComponent, components: Components): boolean {
  return [...components.values()].some(
    ({ written, type }) => written.parents?.includes(name) === true && type?.properties.get(property)?.rule.exported === true,
  );
}
