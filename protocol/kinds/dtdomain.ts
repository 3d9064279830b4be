import { z } from 'zod';
import { ALL_VERBS, type Kind } from './kind.ts';

export const SIGHTLINE_GROUP = 'sid.sightlineinnovation.com';

const schema = z.object({
  spec: z
    .object({
      peer: z
        .object({
          address: z.string().min(1).max(512).describe('The address of any member: IP, HOST, HOST:PORT, [IPV6]:PORT or a multiaddr.'),
          inviteToken: z
            .string()
            .min(1)
            .max(4096)
            .describe('The invite token, as "dtkd domain invite" or the founder\'s dtDomain shows it.'),
          replace: z.string().max(63).optional().describe('The name of a lost machine that this node replaces. The invite must allow it.'),
        })
        .optional()
        .describe('The member to join the domain through. If it is not set, this node founds the domain.'),
    })
    .optional()
    .describe('How this node enters the domain.'),
  inviteToken: z.string().optional().describe('A current invite token. Set only on the node that holds the root key.'),
  peers: z.array(z.string()).optional().describe('The IDs of the dtPeers of all members, 32 hexadecimal digits each, sorted.'),
  status: z.string().optional().describe('Ready, Joining, Failed, Removed, Suspended or Leaving.'),
  message: z.string().optional().describe('A message that explains a status other than Ready and gives the next step.'),
  domainId: z.string().optional().describe('The ID of the domain: the SHA-256 of its genesis, 64 hexadecimal digits.'),
  founder: z.string().optional().describe('The name of the node that holds the root key, if known.'),
});

/** This node's membership in a domain. Creating one founds a domain, or joins one if `spec.peer` is given. */
export const dtDomainKind: Kind = {
  group: SIGHTLINE_GROUP,
  version: 'v1',
  kind: 'dtDomain',
  plural: 'dtdomains',
  singular: 'dtdomain',
  shortNames: ['dtd', 'domain', 'domains'],
  scope: 'Namespaced',
  shared: false,
  verbs: ALL_VERBS,
  description: 'The membership of this node in a domain. Creating one founds the domain, or joins it if spec.peer is set.',
  schema,
  serverFields: ['inviteToken', 'peers', 'status', 'message', 'domainId', 'founder'],
  selectableFields: ['status'],
  columns: [
    { name: 'Status', type: 'string', description: 'Ready, Joining, Failed, Removed, Suspended or Leaving', path: 'status', priority: 0 },
    {
      name: 'Peers',
      type: 'integer',
      description: 'number of members',
      value: (domain) => (Array.isArray(domain['peers']) ? domain['peers'].length : 0),
      priority: 0,
    },
    { name: 'Founder', type: 'string', description: 'the node that holds the root key', path: 'founder', priority: 1 },
    { name: 'Message', type: 'string', description: 'why it is not Ready', path: 'message', priority: 1 },
  ],
};

export const dtDomainSchema = schema;
