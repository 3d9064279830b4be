/** Apps of a service: one for each node that has resources of the component, with a single endpoint for all of them there. */
import { type AssemblyApp, MAX_APP_DOMAINS } from '../../../../../protocol/definitions/assembly.ts';
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import type { DesiredApp } from '../instances.types.ts';
import type { Components } from './component.ts';
import { type FilePath, type Findings, listed } from './findings.ts';
import { interpolate } from './interpolation.ts';
import { isKnown } from './outcome.ts';
import { isThere } from './relations.ts';
import type { Scope } from './scope.ts';
import type { Values } from './values.ts';

const DEFAULT_PORT = 'port';
const LOOPBACK = '127.0.0.1';
/** A Service's name must be a DNS label. */
const MAX_NAME = 63;

export function appsOf(service: ServiceFile, components: Components, values: Values, scope: Scope, findings: Findings): DesiredApp[] {
  return Object.entries(service.apps ?? {}).flatMap(([name, app]) => appOf(service.name, name, app, components, values, scope, findings));
}

function appOf(
  instance: string,
  app: string,
  written: AssemblyApp,
  components: Components,
  values: Values,
  scope: Scope,
  findings: Findings,
): DesiredApp[] {
  const path: FilePath = ['apps', app];
  const name = `${instance}-${app}`;
  if (name.length > MAX_NAME)
    findings.add(
      'TOO_MANY',
      path,
      `${name} has more than ${MAX_NAME} characters, the most that the name of an app may have`,
      'Give the app a shorter name.',
    );
  const component = components.get(written.component);
  if (!isThere(written.component, [...path, 'component'], components, findings) || component === undefined) return [];
  const port = portOf(written, component.name, path, values, components, findings);
  const address = textAt(written.address, [...path, 'address'], scope, findings);
  const url = textAt(written.authenticationURL, [...path, 'authenticationURL'], scope, findings);
  const domains = domainsOf(written, [...path, 'domains'], scope, findings);
  if (port === undefined || address === 'broken' || url === 'broken' || domains === undefined) return [];
  const { authenticationURL: _url, ...rest } = written;
  const nodes = [...new Set(component.resources.map(({ node }) => node))].sort();
  // resources of a component share address and port, so one endpoint stands for all of them on a node
  const endpoints = [{ address: address ?? LOOPBACK, port }];
  return nodes.map((node) => ({ ...rest, ...(url === undefined ? {} : { authenticationURL: url }), domains, name, node, endpoints }));
}

function portOf(
  written: AssemblyApp,
  name: string,
  path: FilePath,
  values: Values,
  components: Components,
  findings: Findings,
): number | undefined {
  const component = components.get(name);
  const property = written.port ?? DEFAULT_PORT;
  const type = component?.type;
  if (component === undefined || type === undefined) return undefined;
  if (!type.open && !type.properties.has(property)) {
    findings.add(
      'ILLEGAL_VALUE',
      [...path, 'port'],
      `a ${type.name} has no property ${property}`,
      `It has: ${listed([...type.properties.keys()].sort(), 20)}.`,
    );
    return undefined;
  }
  const outcome = values.effective(component, property);
  if (outcome === 'unset')
    findings.add('REQUIRED_UNSET', [...path, 'port'], `the port ${property} of ${name} has no value`, `Set ${name}.${property}.`);
  if (!isKnown(outcome)) return undefined;
  const { value } = outcome;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  findings.add('ILLEGAL_VALUE', [...path, 'port'], `${property} of ${name} is not a port`);
  return undefined;
}

function textAt(written: string | undefined, path: FilePath, scope: Scope, findings: Findings): string | undefined | 'broken' {
  if (written === undefined) return undefined;
  const outcome = interpolate(written, scope.at(path, ['parameters', 'target', 'components']));
  if (!isKnown(outcome)) return outcome === 'unset' ? undefined : 'broken';
  if (typeof outcome.value === 'string' && outcome.value !== '') return outcome.value;
  findings.add('ILLEGAL_VALUE', path, 'expected a text');
  return 'broken';
}

/** A single reference may yield several domains. */
function domainsOf({ domains }: AssemblyApp, path: FilePath, scope: Scope, findings: Findings): string[] | undefined {
  const outcomes = domains.map((domain, index) => interpolate(domain, scope.at([...path, index])));
  if (outcomes.includes('broken')) return undefined;
  const all = outcomes.filter(isKnown).flatMap(({ value }): unknown[] => (Array.isArray(value) ? value : [value]));
  const names = [...new Set(all.filter((name) => typeof name === 'string' && name !== ''))];
  if (names.length === 0 || names.length > MAX_APP_DOMAINS || !all.every((name) => typeof name === 'string' && name !== '')) {
    findings.add('ILLEGAL_VALUE', path, `expected the names of 1 to ${MAX_APP_DOMAINS} domains`);
    return undefined;
  }
  return names.filter((name) => typeof name === 'string');
}
