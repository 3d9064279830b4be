/** Resolves an app's selector to the addresses at which it may be reached. Pure. */
import type { z } from 'zod';
import type { AppSelectors } from '../../../protocol/kinds/dtapp.ts';
import { endpointsSchema } from '../../../protocol/kinds/endpoints.ts';
import { type servicePort, serviceSchema } from '../../../protocol/kinds/service.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { type EndpointRules, refusedEndpoint } from './endpoint-policy.ts';
import type { HostPort } from './ports.ts';

export type Targets = { state: 'Ready'; targets: readonly HostPort[] } | { state: 'NoService' | 'NoEndpoints'; message: string };

type ServicePort = z.infer<typeof servicePort>;

/** The Service port taken if the selector names none. */
const DEFAULT_PORT = 8080;

/** The port of the Service that the selector means: by number or name, else 8080, else the only one. */
function selectedPort(ports: readonly ServicePort[], wanted: number | string | undefined): ServicePort | undefined {
  if (wanted !== undefined) return ports.find((port) => port.port === wanted || port.name === wanted);
  return ports.find((port) => port.port === DEFAULT_PORT) ?? (ports.length === 1 ? ports[0] : undefined);
}

export function resolveTargets(
  selector: AppSelectors['service'],
  service: ApiObject | undefined,
  endpoints: ApiObject | undefined,
  rules: EndpointRules,
): Targets {
  if (selector === undefined) return { state: 'NoService', message: 'The app selects no Service.' };
  const parsed = service === undefined ? undefined : serviceSchema.safeParse(service);
  if (parsed?.success !== true) return { state: 'NoService', message: `There is no Service "${selector.name}" on this node.` };
  const ports = parsed.data.spec.ports;
  const port = selectedPort(ports, selector.port);
  if (port === undefined) {
    const which = selector.port === undefined ? 'several ports and none of them is 8080: select one' : `no port ${selector.port}`;
    return { state: 'NoService', message: `Service "${selector.name}" has ${which}.` };
  }
  const known = endpoints === undefined ? undefined : endpointsSchema.safeParse(endpoints);
  if (known?.success !== true) return { state: 'NoEndpoints', message: `There are no Endpoints "${selector.name}" on this node.` };
  return pick(known.data.subsets ?? [], port, ports.length === 1, selector.name, rules);
}

type Subset = NonNullable<z.infer<typeof endpointsSchema>['subsets']>[number];

function pick(subsets: readonly Subset[], port: ServicePort, only: boolean, name: string, rules: EndpointRules): Targets {
  const targets: HostPort[] = [];
  let refused: string | undefined;
  for (const subset of subsets) {
    const to = endpointPort(subset.ports ?? [], port, only);
    if (to === undefined) continue;
    for (const address of subset.addresses ?? []) {
      const why = refusedEndpoint(address.ip, to, rules);
      if (why === undefined) targets.push({ host: address.ip, port: to });
      else refused ??= `${address.ip}:${to} ${why}`;
    }
  }
  if (targets.length > 0) return { state: 'Ready', targets };
  const message = refused === undefined ? `Endpoints "${name}" have no address for port ${port.port}.` : `Endpoints "${name}": ${refused}.`;
  return { state: 'NoEndpoints', message };
}

/**
 * The endpoint port for a Service port, much as in Kubernetes: by `targetPort`, else by the Service port's name; for a numeric
 * `targetPort`, else the only one, if Service and Endpoints have one port each.
 */
function endpointPort(ports: NonNullable<Subset['ports']>, port: ServicePort, only: boolean): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'string') return (ports.find((entry) => entry.name === target) ?? byName(ports, port.name))?.port;
  const exact = ports.find((entry) => entry.port === target);
  return (exact ?? byName(ports, port.name) ?? (only && ports.length === 1 ? ports[0] : undefined))?.port;
}

function byName(ports: NonNullable<Subset['ports']>, name: string | undefined) {
  return name === undefined ? undefined : ports.find((entry) => entry.name === name);
}
