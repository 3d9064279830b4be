import { isIP } from 'node:net';
import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { ALL_VERBS, type Kind } from './kind.ts';

const address = z.object({
  ip: z
    .string()
    .max(45)
    .refine((text) => isIP(text) !== 0, 'must be an IPv4 or IPv6 address')
    .describe('An IPv4 or IPv6 address.'),
  hostname: z.string().max(253).optional().describe('The name of the machine. Informational only.'),
});

const endpointPort = z.object({
  name: z.string().max(63).optional().describe('The name of the port, as the Service names it.'),
  port: z.number().int().min(1).max(65_535).describe('The port number.'),
  protocol: z.enum(['TCP']).optional().describe('The protocol: TCP.'),
  appProtocol: z.string().max(253).optional().describe('The application protocol. Informational only.'),
});

const schema = z.object({
  subsets: z
    .array(
      z.object({
        addresses: z.array(address).max(256).optional().describe('The addresses to connect to, in the order in which they are tried.'),
        notReadyAddresses: z.array(address).max(256).optional().describe('The addresses that are not ready. They are not tried.'),
        ports: z.array(endpointPort).max(64).optional().describe('The ports that each of the addresses listens on.'),
      }),
    )
    .max(64)
    .optional()
    .describe('Groups of addresses, with the ports that they listen on.'),
});

function addressesOf(object: ApiObject): string {
  const parsed = schema.safeParse(object);
  if (!parsed.success) return '';
  const all = (parsed.data.subsets ?? []).flatMap((subset) =>
    (subset.addresses ?? []).flatMap((entry) =>
      (subset.ports ?? []).map((to) => (isIP(entry.ip) === 6 ? `[${entry.ip}]:${to.port}` : `${entry.ip}:${to.port}`)),
    ),
  );
  return all.length > 3 ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...` : all.join(',') || '<none>';
}

/** The addresses behind the Service of the same name, tried in order. */
export const endpointsKind: Kind = {
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  scope: 'Namespaced',
  shared: false,
  verbs: ALL_VERBS,
  description: 'The addresses behind the Service of the same name, in the order in which they are tried.',
  schema,
  serverFields: [],
  selectableFields: [],
  columns: [{ name: 'Endpoints', type: 'string', description: 'addresses and ports', value: addressesOf, priority: 0 }],
};

export const endpointsSchema = schema;
