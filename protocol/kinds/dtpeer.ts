import { z } from 'zod';
import { SIGHTLINE_GROUP } from './dtdomain.ts';
import type { Kind } from './kind.ts';

const schema = z.object({
  address: z
    .string()
    .optional()
    .describe('Where the peer was last reached: an IP address or host name, with the port where it is not 7701.'),
  connected: z.boolean().optional().describe('True while there is a connection.'),
  reach: z
    .enum(['connected', 'idle', 'away'])
    .optional()
    .describe('idle: not connected and reached when needed, as in domains of 32 members and more; away: it could not be reached.'),
  dtDomain: z.string().optional().describe('Name of the dtDomain in which it is a peer.'),
  id: z.string().optional().describe("32 hex digits: a hash of the public key; also the object's name."),
  name: z.string().optional().describe("The node's name, with its suffix."),
  publicKey: z.string().optional().describe('The 32 bytes of its ed25519 public key in this domain, base64.'),
  since: z.string().optional().describe('RFC 3339: since when it is connected, away, or without a connection.'),
  path: z.string().optional().describe('direct, relayed (through another member), self, or empty while not connected.'),
  conditions: z
    .array(z.string())
    .optional()
    .describe('Sentences that the operator should read: ambiguous name, surplus of an invite, suspension, clock skew.'),
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
  description: 'A member of a domain as this node sees it. Deleting one on the founder removes that member for good.',
  schema,
  serverFields: ['address', 'connected', 'reach', 'dtDomain', 'id', 'name', 'publicKey', 'since', 'path', 'conditions'],
  selectableFields: ['dtDomain', 'connected', 'reach', 'name', 'id'],
  columns: [
    { name: 'Peer', type: 'string', description: 'name of the node', path: 'name', priority: 0 },
    { name: 'Domain', type: 'string', description: 'name of the dtDomain', path: 'dtDomain', priority: 0 },
    { name: 'Connected', type: 'boolean', description: 'connected now', path: 'connected', priority: 0 },
    { name: 'Address', type: 'string', description: 'where it was last reached', path: 'address', priority: 0 },
    { name: 'Reach', type: 'string', description: 'connected, idle (reached when needed) or away', path: 'reach', priority: 1 },
    { name: 'Path', type: 'string', description: 'direct, relayed or self', path: 'path', priority: 1 },
    { name: 'Since', type: 'date', description: 'connected, away, or without a connection for so long', path: 'since', priority: 1 },
  ],
};

export const dtPeerSchema = schema;
