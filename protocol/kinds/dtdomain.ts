import { z } from 'zod';
import { ALL_VERBS, type Kind } from './kind.ts';

export const SIGHTLINE_GROUP = 'sid.sightlineinnovation.com';

const schema = z.object({
  spec: z
    .object({
      peer: z
        .object({
          address: z.string().min(1).max(512).describe('Address of any member: IP, HOST, HOST:PORT, [IPV6]:PORT or a multiaddr.'),
          inviteToken: z
            .string()
            .min(1)
            .max(4096)
            .describe('The invite token, as "dtkd domain invite" or the founder\'s dtDomain shows it.'),
          replace: z.string().max(63).optional().describe('The name of a lost machine that this one takes over; the invite must allow it.'),
        })
        .optional()
        .describe('The member through which to join. Without it, the domain is founded here.'),
    })
    .optional()
    .describe('How this node comes to the domain.'),
  inviteToken: z.string().optional().describe("The founder's present invite; shown only on a node that may invite."),
  peers: z.array(z.string()).optional().describe("Ids (32 hex digits) of all members' dtPeers, sorted."),
  status: z.string().optional().describe('Ready, Joining, Failed, Removed, Suspended or Leaving.'),
  message: z.string().optional().describe('A sentence that explains any status but Ready, with the next step.'),
  domainId: z.string().optional().describe("64 hex digits: the hash of the domain's genesis."),
  founder: z.string().optional().describe('Name of the node that holds the root key, if this node knows it.'),
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
  description: 'A domain that this node belongs to. Creating one without spec.peer founds a domain; with spec.peer it joins.',
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
