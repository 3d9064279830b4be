/** Texts that are filled in when a resource is installed and brought up: what they refer to has to have a value, since a node refuses the command otherwise. Pure. */
import type { Components, ExpandedComponent } from './component.ts';
import type { Findings } from './findings.ts';
import type { Values } from './values.ts';

/** Tells of what is wanted and has no value. */
export function judgeTexts(service: string, components: Components, values: Values, findings: Findings): void {
  for (const component of components.values()) {
    const { type, name, resources } = component;
    if (type === undefined || resources.length === 0) continue;
    for (const { property, where } of type.wanted) {
      const rule = type.properties.get(property)?.rule;
      // what is required is told as that
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

/** A resource has what a child of it exports. */
function isExported(property: string, { name }: ExpandedComponent, components: Components): boolean {
  return [...components.values()].some(
    ({ written, type }) => written.parents?.includes(name) === true && type?.properties.get(property)?.rule.exported === true,
  );
}
