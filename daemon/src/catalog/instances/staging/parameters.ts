/** Checks values of parameters when a service is staged, and reports all faults at once. */
import type { Assembly } from '../../../../../protocol/definitions/assembly.ts';
import { valueFault } from '../../../../../protocol/definitions/property-value.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import { ready } from '../../model/type-book.ts';

export interface ParameterFault {
  field: string;
  message: string;
}

/** A value with `${…}` is checked at a converge, when it can be resolved. */
function refersElsewhere(value: unknown): boolean {
  return typeof value === 'string' && value.includes('${');
}

export async function parameterFaults(rules: Assembly['parameters'], values: Readonly<Record<string, unknown>>): Promise<ParameterFault[]> {
  const faults: ParameterFault[] = [];
  for (const [name, value] of Object.entries(values)) {
    const field = `parameters.${name}`;
    const rule = Object.hasOwn(rules ?? {}, name) ? rules?.[name] : undefined;
    if (rule === undefined) {
      const near = nearMiss(name, Object.keys(rules ?? {}));
      const names = Object.keys(rules ?? {})
        .slice(0, 20)
        .join(', ');
      const meant = near === undefined ? (names === '' ? '' : `; there are: ${names}`) : `; did you mean ${near}?`;
      faults.push({ field, message: `the assembly has no such parameter${meant}` });
    } else if (!refersElsewhere(value)) {
      const fault = valueFault(await ready(rule), value);
      if (fault !== undefined) faults.push({ field, message: fault });
    }
  }
  return faults;
}

/** Required parameters with neither a value nor a default. */
export function unsetParameters(rules: Assembly['parameters'], values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(rules ?? {})
    .filter(([name, { required, default: fallback }]) => required === true && fallback === undefined && !Object.hasOwn(values, name))
    .map(([name]) => name);
}
