/** Checks the own values of a component against the rules of its type. */
import { valueFault } from '../../../../../protocol/definitions/property-value.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import type { ExpandedComponent } from './component.ts';
import { type Findings, listed } from './findings.ts';
import { fits, isKnown, MAX_VALUES } from './outcome.ts';
import type { Values } from './values.ts';

export interface OwnValues {
  properties: Readonly<Record<string, unknown>>;
  /** Properties whose values must not be shown. */
  secrets: readonly string[];
}

/** The valid own values, sorted by name. Reports every invalid and every missing one. */
export function judgeValues(service: string, component: ExpandedComponent, values: Values, findings: Findings): OwnValues {
  const { type, name } = component;
  const properties: [string, unknown][] = [];
  const secrets: string[] = [];
  for (const property of values.named(component)) {
    const path = values.pathOf(component, property);
    const outcome = values.own(component, property);
    const rule = type?.properties.get(property)?.rule;
    if (type !== undefined && rule === undefined && !type.open) {
      const names = [...type.properties.keys()].sort();
      const near = nearMiss(property, names);
      findings.add(
        'ILLEGAL_VALUE',
        path,
        `a ${type.name} has no property ${property}`,
        near === undefined ? `It has: ${listed(names, 20)}.` : `Did you mean ${near}?`,
      );
      continue;
    }
    if (rule?.dynamic === true) {
      findings.add('ILLEGAL_VALUE', path, `${property} is computed when commands run, and cannot be given`, 'Leave it out.');
      continue;
    }
    if (!isKnown(outcome)) continue;
    const fault = rule === undefined ? undefined : valueFault(rule, outcome.value, outcome.secret);
    if (fault !== undefined) {
      findings.add('ILLEGAL_VALUE', path, fault);
      continue;
    }
    properties.push([property, outcome.value]);
    if (outcome.secret) secrets.push(property);
  }
  for (const [property, { rule }] of type?.properties ?? []) {
    if (rule.required !== true || rule.dynamic === true || values.effective(component, property) !== 'unset') continue;
    const what = rule.description === undefined ? '' : `: ${rule.description}`;
    const value = rule.type === 'secret' ? '-' : 'VALUE';
    findings.add(
      'REQUIRED_UNSET',
      values.pathOf(component, property),
      `${property} has no value${what}`,
      `dtkd service set ${service} ${name}.${property}=${value}`,
    );
  }
  const own = Object.fromEntries(properties);
  if (fits(own, MAX_VALUES)) return { properties: own, secrets };
  const next = 'Move large texts into files of the module.';
  findings.add('TOO_MANY', ['components', name], `its values have more than ${MAX_VALUES} characters in total`, next);
  return { properties: {}, secrets: [] };
}
