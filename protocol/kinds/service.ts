import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { ALL_VERBS, type Kind } from './kind.ts';

const port = z.number().int().min(1).max(65_535);
const portName = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

export const servicePort = z.object({
  name: portName.optional().describe('Name of the port, where there are several.'),
  protocol: z.enum(['TCP']).default('TCP').describe('TCP.'),
  appProtocol: z.string().max(253).optional().describe('What is spoken there, for people.'),
  port: port.describe('Port under which the service is known.'),
  targetPort: z.union([port, portName]).optional().describe('Number or name of the port of the Endpoints. Default: the same number.'),
});

const schema = z.object({
  spec: z
    .object({
      ports: z.array(servicePort).min(1).max(64).describe('Ports of the service.'),
      type: z.enum(['ClusterIP']).optional().describe('ClusterIP. Accepted, and not used.'),
      clusterIP: z.enum(['None', '']).optional().describe('Accepted, and not used: a Service has no address of its own.'),
      selector: z.record(z.string(), z.string()).optional().describe('Accepted, and not used: Endpoints are written.'),
    })
    .describe('What the service is.'),
  status: z
    .object({ loadBalancer: z.object({}).optional().describe('Empty.') })
    .optional()
    .describe('Empty.'),
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
  description: 'Something that listens at this site. The Endpoints of the same name hold its addresses.',
  schema,
  serverFields: ['status'],
  selectableFields: [],
  columns: [{ name: 'Ports', type: 'string', description: 'ports of the service', value: portsOf, priority: 0 }],
};

export const serviceSchema = schema;
