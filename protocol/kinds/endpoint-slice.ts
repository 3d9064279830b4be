import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { endpointsKind, endpointsSchema } from './endpoints.ts';
import { type Kind, READ_VERBS } from './kind.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Maximum length of a name. */
const MAX_NAME = 253;
const DIGEST = 10;
const NAME = /^(.+)-ipv[46](-[1-9][0-9]?)?$/;

const schema = z.object({
  addressType: z.enum(['IPv4', 'IPv6']).describe('The type of all addresses of the slice: IPv4 or IPv6.'),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string().max(45)).describe('The addresses of the endpoint: always exactly one.'),
        hostname: z.string().max(253).optional().describe('The name of the machine. Informational only.'),
        conditions: z
          .object({
            ready: z.boolean().describe('Whether the endpoint is ready. Endpoints that are not ready are not tried.'),
            serving: z.boolean().describe('Always the same as ready.'),
            terminating: z.boolean().describe('Always false.'),
          })
          .describe('The conditions of the endpoint.'),
      }),
    )
    .describe('The endpoints of the slice.'),
  ports: z
    .array(
      z.object({
        name: z.string().max(63).describe('The name of the port. Empty if it has none.'),
        port: z.number().int().min(1).max(65_535).describe('The port number.'),
        protocol: z.enum(['TCP']).describe('The protocol: TCP.'),
        appProtocol: z.string().max(253).optional().describe('The application protocol. Informational only.'),
      }),
    )
    .describe('The ports that each of the endpoints listens on.'),
});
type Slice = z.infer<typeof schema>;
type Subset = NonNullable<z.infer<typeof endpointsSchema>['subsets']>[number];

const FAMILIES = [
  { addressType: 'IPv4', version: 4 },
  { addressType: 'IPv6', version: 6 },
] as const;

/** Returns one slice for each subset and each address family in it. */
function slicesOf(endpoints: ApiObject): ApiObject[] {
  const subsets = endpointsSchema.safeParse(endpoints).data?.subsets ?? [];
  return FAMILIES.flatMap(({ addressType, version }) =>
    subsets.flatMap((subset, index) => {
      const found = endpointsIn(subset, version);
      if (found.length === 0) return [];
      const suffix = `-ipv${version}${index === 0 ? '' : `-${index + 1}`}`;
      return [sliceObject(endpoints, suffix, { addressType, endpoints: found, ports: portsOf(subset) })];
    }),
  );
}

function endpointsIn({ addresses = [], notReadyAddresses = [] }: Subset, version: 4 | 6): Slice['endpoints'] {
  const entries = (list: typeof addresses, ready: boolean) =>
    list.flatMap(({ ip, hostname }) =>
      isIP(ip) === version
        ? [{ addresses: [ip], conditions: { ready, serving: ready, terminating: false }, ...(hostname === undefined ? {} : { hostname }) }]
        : [],
    );
  return [...entries(addresses, true), ...entries(notReadyAddresses, false)];
}

/** An empty name if there is none, since clients read it unconditionally. */
function portsOf({ ports = [] }: Subset): Slice['ports'] {
  return ports.map(({ name = '', port, protocol = 'TCP', appProtocol }) => ({
    name,
    port,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
}

function sliceObject({ metadata }: ApiObject, suffix: string, fields: Slice): ApiObject {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, labels, deletionTimestamp } = metadata;
  const { [LAST_APPLIED]: _applied, ...annotations } = metadata.annotations ?? {};
  return {
    apiVersion: `${endpointSliceKind.group}/${endpointSliceKind.version}`,
    kind: endpointSliceKind.kind,
    metadata: {
      name: sliceName(name, suffix),
      ...(namespace === undefined ? {} : { namespace }),
      uid: uidOf(`dtkd/endpoint-slice\n${uid}\n${suffix}`),
      resourceVersion,
      generation,
      creationTimestamp,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      labels: { ...labels, [SERVICE_NAME_LABEL]: name, [MANAGED_BY_LABEL]: 'dtkd.dev' },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ownerReferences: [{ apiVersion: 'v1', kind: 'Endpoints', name, uid, controller: true, blockOwnerDeletion: true }],
    },
    ...fields,
  };
}

/** Names a slice. A name that would be too long is cut and made unique by a digest; such a slice is found only in lists. */
function sliceName(name: string, suffix: string): string {
  if (name.length + suffix.length <= MAX_NAME) return `${name}${suffix}`;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, DIGEST);
  return `${name.slice(0, MAX_NAME - suffix.length - DIGEST - 1)}-${digest}${suffix}`;
}

/** Returns a deterministic identifier in the form of a UUID. */
function uidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Endpoints in the form that newer clients read, such as `kubectl describe service`. */
export const endpointSliceKind: Kind = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  shortNames: [],
  scope: 'Namespaced',
  shared: false,
  verbs: READ_VERBS,
  derived: { from: endpointsKind, objects: slicesOf, sourceOf: (name) => NAME.exec(name)?.[1], label: SERVICE_NAME_LABEL },
  description: 'The addresses of an Endpoints object, in the form that newer clients read. Derived from Endpoints and read-only.',
  schema,
  serverFields: ['addressType', 'endpoints', 'ports'],
  selectableFields: [],
  columns: [
    { name: 'AddressType', type: 'string', description: 'IPv4 or IPv6', path: 'addressType', priority: 0 },
    {
      name: 'Ports',
      type: 'string',
      description: 'ports of the endpoints',
      value: (slice) => listed(schema.shape.ports.safeParse(slice['ports']).data?.map(({ port }) => String(port))),
      priority: 0,
    },
    {
      name: 'Endpoints',
      type: 'string',
      description: 'addresses',
      value: (slice) => listed(schema.shape.endpoints.safeParse(slice['endpoints']).data?.flatMap(({ addresses }) => addresses)),
      priority: 0,
    },
  ],
};

/** Joins texts, shortened as kubectl does. */
function listed(texts: readonly string[] = []): string {
  if (texts.length === 0) return '<unset>';
  return texts.length > 3 ? `${texts.slice(0, 3).join(',')} + ${texts.length - 3} more...` : texts.join(',');
}
