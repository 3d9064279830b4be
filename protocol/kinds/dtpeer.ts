import { z } from 'zod';
import { SIGHTLINE_GROUP } from './dtdomain.ts';
import type { Kind } from './kind.ts';

const schema = z.object({
  address: z.string().optional().describe('The last address of the peer: an IP address or host name, with the port if it is not 7701.'),
  connected: z.boolean().optional().describe('Whether the peer is connected.'),
  reach: z
    .enum(['connected', 'idle', 'away'])
    .optional()
    .describe('connected, idle (not connected until needed, as in domains of 32 or more members) or away (unreachable).'),
  dtDomain: z.string().optional().describe('The name of the dtDomain that the peer is a member of.'),
  id: z.string().optional().describe('The ID of the peer: a hash of its public key, 32 hexadecimal digits. Also the name of the object.'),
  name: z.string().optional().describe('The name of the node, with its suffix.'),
  publicKey: z.string().optional().describe('The Ed25519 public key of the peer in this domain, 32 bytes in base64.'),
  since: z.string().optional().describe('When the peer became connected, idle or away, in RFC 3339.'),
  path: z
    .string()
    .optional()
    .describe('The path of the connection: direct, relayed (through another member) or self. Empty if not connected.'),
  conditions: z
    .array(z.string())
    .optional()
    .describe('Messages for the operator, such as about an ambiguous name, an overused invite, a suspension or clock skew.'),
});

/** A member of a domain as this node sees it. Maintained by the daemon; deleting one on the founder removes the member for good. */
export const dtPeerKind: Kind = {
  group: SIGHTLINE_GROUP,
  version: 'v1',
  kind: 'dtPeer',
  plural: 'dtpeers',
  singular: 'dtpeer',
  shortNames: ['dtp', 'peer', 'peers'],
  scope: 'Namespaced',
  shared: false,
  verbs: ['get', 'list', 'watch', 'delete'],
  description: 'A member of a domain, as this node sees it. Deleting it on the founder removes the member for good.',
  schema,
  serverFields: ['address', 'connected', 'reach', 'dtDomain', 'id', 'name', 'publicKey', 'since', 'path', 'conditions'],
  selectableFields: ['dtDomain', 'connected', 'reach', 'name', 'id'],
  columns: [
    { name: 'Peer', type: 'string', description: 'name of the node', path: 'name', priority: 0 },
    { name: 'Domain', type: 'string', description: 'name of the dtDomain', path: 'dtDomain', priority: 0 },
    { name: 'Connected', type: 'boolean', description: 'whether it is connected', path: 'connected', priority: 0 },
    { name: 'Address', type: 'string', description: 'last address', path: 'address', priority: 0 },
    { name: 'Reach', type: 'string', description: 'connected, idle (connected to when needed) or away', path: 'reach', priority: 1 },
    { name: 'Path', type: 'string', description: 'direct, relayed or self', path: 'path', priority: 1 },
    { name: 'Since', type: 'date', description: 'how long it has been connected, idle or away', path: 'since', priority: 1 },
  ],
};

export const dtPeerSchema = schema;
