import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { ALL_VERBS, type Kind } from './kind.ts';

const port = z.number().int().min(1).max(65_535);
const portName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

export const servicePort = z.object({
  name: portName.optional().describe('The name of the port, if there are several.'),
  protocol: z.enum(['TCP']).default('TCP').describe('The protocol: TCP.'),
  appProtocol: z.string().max(253).optional().describe('The application protocol. Informational only.'),
  port: port.describe('The port of the Service.'),
  targetPort: z
    .union([port, portName])
    .optional()
    .describe('The number or name of the port of the Endpoints. Default: the number in port.'),
});

const schema = z.object({
  spec: z
    .object({
      ports: z.array(servicePort).min(1).max(64).describe('The ports of the Service.'),
      type: z.enum(['ClusterIP']).optional().describe('Accepted but not used. Only ClusterIP is allowed.'),
      clusterIP: z.enum(['None', '']).optional().describe('Accepted but not used: a Service has no address of its own.'),
      selector: z.record(z.string(), z.string()).optional().describe('Accepted but not used: clients write the Endpoints.'),
    })
    .describe('The definition of the Service.'),
  status: z
    .object({ loadBalancer: z.object({}).optional().describe('Always empty.') })
    .optional()
    .describe('Always empty.'),
});

function portsOf(object: ApiObject): string {
  const parsed = schema.safeParse(object);
  return parsed.success ? parsed.data.spec.ports.map((entry) => `${entry.port}/${entry.protocol}`).join(',') : '';
}

/** A named set of ports. The Endpoints of the same name contain the addresses. */
export const serviceKind: Kind = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  scope: 'Namespaced',
  shared: false,
  verbs: ALL_VERBS,
  description: 'A service that listens at this site. The Endpoints object of the same name has its addresses.',
  schema,
  serverFields: ['status'],
  selectableFields: [],
  columns: [{ name: 'Ports', type: 'string', description: 'ports of the service', value: portsOf, priority: 0 }],
};

export const serviceSchema = schema;
