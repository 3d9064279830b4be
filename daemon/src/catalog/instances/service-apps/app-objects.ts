/** The objects of an app: a Service with its Endpoints, and the dtApp that shares it. Pure. */
import { createHash } from 'node:crypto';
import { dtAppKind } from '../../../../../protocol/kinds/dtapp.ts';
import { endpointsKind } from '../../../../../protocol/kinds/endpoints.ts';
import { apiVersionOf, type Kind } from '../../../../../protocol/kinds/kind.ts';
import { serviceKind } from '../../../../../protocol/kinds/service.ts';
import { INSTANCE_LABEL } from '../../../../../protocol/kinds/service-instance.ts';
import type { DesiredApp } from '../instances.types.ts';

/** Name of the port in both Endpoints and Service, whatever its number. */
const PORT = 'app';

/** In the order of creation: the objects behind an app exist before it does. */
export const APP_KINDS: readonly Kind[] = [endpointsKind, serviceKind, dtAppKind];

export function appObjects(instance: string, app: DesiredApp): Record<string, unknown>[] {
  const { name, endpoints, domains, authenticationType = 'None', authenticationURL } = app;
  const metadata = { name, labels: { [INSTANCE_LABEL]: instance } };
  const of = (kind: Kind, fields: object) => ({ apiVersion: apiVersionOf(kind), kind: kind.kind, metadata, ...fields });
  const [first] = endpoints;
  return [
    of(endpointsKind, {
      subsets: endpoints.map(({ address, port }) => ({
        addresses: [{ ip: ipOf(address) }],
        ports: [{ name: PORT, port, protocol: 'TCP' }],
      })),
    }),
    of(serviceKind, { spec: { ports: [{ name: PORT, protocol: 'TCP', port: first?.port ?? 1, targetPort: PORT }] } }),
    of(dtAppKind, {
      spec: {
        serviceSelector: { name },
        domainSelector: { name: [...domains] },
        authenticationType,
        ...(authenticationURL === undefined ? {} : { authenticationURL }),
      },
    }),
  ];
}

/** Changes whenever the app's objects would differ. */
export function appDigest(instance: string, app: DesiredApp): string {
  return createHash('sha256')
    .update(JSON.stringify(appObjects(instance, app)))
    .digest('hex');
}

function ipOf(address: string): string {
  return address === 'localhost' ? '127.0.0.1' : address;
}
