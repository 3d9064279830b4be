import { isIP } from 'node:net';
import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { ALL_VERBS, type Kind } from './kind.ts';

const address = z.object({
  ip: z
    .string()
    .max(45)
    .refine((text) => isIP(text) !== 0, 'must be an IPv4 or IPv6 address')
    .describe('IPv4 or IPv6 address.'),
  hostname: z.string().max(253).optional().describe('Name of the machine, for people.'),
});

const endpointPort = z.object({
  name: z.string().max(63).optional().describe('Name of the port, as a Service names it.'),
  port: z.number().int().min(1).max(65_535).describe('Port number.'),
  protocol: z.enum(['TCP']).optional().describe('TCP.'),
  appProtocol: z.string().max(253).optional().describe('What is spoken there, for people.'),
});

const schema = z.object({
  subsets: z
    .array(
      z.object({
        addresses: z.array(address).max(256).optional().describe('Addresses that are tried, in this order.'),
        notReadyAddresses: z.array(address).max(256).optional().describe('Addresses that are not tried.'),
        ports: z.array(endpointPort).max(64).optional().describe('Ports on which each of the addresses listens.'),
      }),
    )
    .max(64)
    .optional()
    .describe('Groups of addresses with the ports on which they listen.'),
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
  description: 'Addresses behind the Service of the same name, tried in the order in which they stand.',
  schema,
  serverFields: [],
  selectableFields: [],
  columns: [{ name: 'Endpoints', type: 'string', description: 'addresses and ports', value: addressesOf, priority: 0 }],
};

export const endpointsSchema = schema;
