/** Checks the values of a service's parameters against their rules. */

import { compilePattern } from '../../../../../protocol/definitions/pattern.ts';
import { ruleFaults, valueFault } from '../../../../../protocol/definitions/property-value.ts';
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import { ready } from '../../model/type-book.ts';
import { type Findings, listed } from './findings.ts';
import { interpolate } from './interpolation.ts';
import { isKnown, known, type Outcome } from './outcome.ts';
import type { Scope } from './scope.ts';

/** All parameters that have rules, by name. Values and defaults may refer to what the target offers, not to one another. */
export async function parametersOf(service: ServiceFile, scope: Scope, findings: Findings): Promise<Map<string, Outcome>> {
  const rules = service['parameter-rules'] ?? {};
  const values = service.parameters ?? {};
  const parameters = new Map<string, Outcome>();
  for (const name of Object.keys(values)) {
    if (Object.hasOwn(rules, name)) continue;
    const near = nearMiss(name, Object.keys(rules));
    const next = near === undefined ? `There are: ${listed(Object.keys(rules))}.` : `Did you mean ${near}?`;
    findings.add('ILLEGAL_VALUE', ['parameters', name], 'the assembly has no such parameter', next);
  }
  for (const [name, rule] of Object.entries(rules)) {
    const compiled = rule.pattern === undefined ? undefined : await compilePattern(rule.pattern);
    if (compiled !== undefined && 'error' in compiled) {
      findings.add('ILLEGAL_VALUE', ['parameter-rules', name, 'pattern'], compiled.error);
      parameters.set(name, 'broken');
      continue;
    }
    const readyRule = await ready(rule);
    const { default: fallback, ...judged } = readyRule;
    for (const { field, message } of ruleFaults(judged)) findings.add('ILLEGAL_VALUE', ['parameter-rules', name, field], message);
    const given = Object.hasOwn(values, name);
    const path = given ? ['parameters', name] : ['parameter-rules', name, 'default'];
    const written = given ? values[name] : fallback;
    if (written === undefined) {
      if (rule.required === true) {
        findings.add(
          'REQUIRED_UNSET',
          ['parameters', name],
          `the parameter ${name} has no value`,
          `dtkd service set ${service.name} ${name}=${rule.type === 'secret' ? 'NAME-OF-A-SECRET' : 'VALUE'}`,
        );
      }
      parameters.set(name, rule.required === true ? 'broken' : 'unset');
      continue;
    }
    const outcome = interpolate(written, scope.at(path, ['target']));
    const fault = isKnown(outcome) ? valueFault(readyRule, outcome.value, outcome.secret) : undefined;
    if (fault !== undefined) findings.add('ILLEGAL_VALUE', path, fault);
    if (fault !== undefined) parameters.set(name, 'broken');
    else parameters.set(name, isKnown(outcome) ? known(outcome.value, outcome.secret || readyRule.type === 'secret') : outcome);
  }
  return parameters;
}
