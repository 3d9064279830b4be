/** Checks that the Secrets exist that resources on this node name. Secrets of other nodes are known only there. */

import { valueFault } from '../../../../../protocol/definitions/property-value.ts';
import type { SecretNames } from '../instances.types.ts';
import type { Components } from './component.ts';
import type { Findings } from './findings.ts';
import { isKnown } from './outcome.ts';
import type { Values } from './values.ts';

/** Messages never contain the value, which may be the secret itself by mistake. */
export async function judgeSecrets(
  { service, node, secrets }: { service: string; node: string; secrets: SecretNames },
  components: Components,
  values: Values,
  findings: Findings,
): Promise<void> {
  const asked = new Map<string, Promise<boolean>>();
  for (const component of components.values()) {
    if (!component.resources.some((resource) => resource.node === node)) continue;
    for (const [property, { rule }] of component.type?.properties ?? []) {
      if (rule.type !== 'secret') continue;
      const outcome = values.effective(component, property);
      if (!isKnown(outcome) || typeof outcome.value !== 'string' || valueFault(rule, outcome.value) !== undefined) continue;
      const there = asked.get(outcome.value) ?? secrets.has(outcome.value);
      asked.set(outcome.value, there);
      if (await there) continue;
      const message = `${property} does not name a Secret of this node`;
      const next = `dtkd service set ${service} ${component.name}.${property}=- asks for the value, keeps it as a Secret and puts its name here.`;
      findings.add('SECRET_MISSING', values.pathOf(component, property), message, next);
    }
  }
}
