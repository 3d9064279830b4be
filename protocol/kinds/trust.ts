import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { subject, uid } from '../rights/principal.ts';
import { withStoredAnnotations } from './adopting.ts';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

/** Maximum number of members of a trust, which has to fit into a log entry. */
const MAX_TRUST_MEMBERS = 100;

const member = subject.extend({
  membership: uid.describe('The UID of this membership. A user who is removed and added again gets another one.'),
  display: z.string().max(320).describe('USER@NODE, as the trustee knew the member.'),
  domain: z.string().max(253).optional().describe('The name of the dtDomain through which the home node is known.'),
});
export type TrustMember = z.infer<typeof member>;

const schema = z.object({
  spec: z
    .object({
      description: z.string().max(1024).optional().describe('A description of the trust.'),
      members: z.array(z.string().max(320)).max(MAX_TRUST_MEMBERS).optional().describe('The members, each as USER@NODE.'),
    })
    .optional()
    .describe('The definition of the trust.'),
  members: z
    .array(member)
    .max(MAX_TRUST_MEMBERS)
    .optional()
    .describe('The users that spec.members named when they were added. Decisions use these, not the names.'),
  trustee: subject.optional().describe('The user who created the trust. Not set if it was the operator of the node.'),
});
export const trustSchema = schema;

/** Publishes to each domain only the members that it knows. */
function publishedTrust({ apiVersion, kind, metadata, ...fields }: ApiObject, domain: string): ApiObject {
  const { annotations: _annotations, namespace: _namespace, ...meta } = metadata;
  const { spec, members, trustee } = schema.parse(fields);
  const { members: _names, ...said } = spec ?? {};
  const known = (members ?? []).filter((each) => each.home === 'self' || each.domain === undefined || each.domain === domain);
  return {
    apiVersion,
    kind,
    metadata: meta,
    spec: said,
    members: known.map(({ domain: _domain, ...kept }) => kept),
    ...(trustee === undefined || trustee.home !== 'self' ? {} : { trustee }),
  };
}

/**
 * The published form names only the members that its domain knows, without the list that the trustee wrote. Merges it with the stored
 * members of other domains.
 */
function adoptedTrust(published: ApiObject | undefined, domain: string, stored: ApiObject | undefined): ApiObject | undefined {
  if (published === undefined) return undefined;
  const { spec, members } = schema.parse(published);
  const told = (members ?? []).map((each) => (each.home === 'self' ? each : { ...each, domain }));
  const others = (schema.safeParse(stored).data?.members ?? []).filter((each) => each.domain !== undefined && each.domain !== domain);
  const all = [...told, ...others];
  return withStoredAnnotations({ ...published, spec: { ...spec, members: all.map((each) => each.display) }, members: all }, stored);
}

/** A list of users, kept by its creator. Owners share objects into it, and its present members may use them. */
export const trustKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Trust',
  plural: 'trusts',
  singular: 'trust',
  shortNames: ['tr'],
  scope: 'Namespaced',
  shared: true,
  attributed: true,
  verbs: ALL_VERBS,
  description: 'A list of users, kept by the user who created it. Owners share objects into it; its current members may use them.',
  schema,
  serverFields: ['members', 'trustee'],
  selectableFields: [],
  columns: [
    {
      name: 'Members',
      type: 'string',
      description: 'members of the trust',
      value: (object) =>
        schema
          .safeParse(object)
          .data?.members?.map((each) => each.display)
          .join(','),
      priority: 0,
    },
    { name: 'Description', type: 'string', description: 'description of the trust', path: 'spec.description', priority: 0 },
  ],
  domainsOf: () => ['*'],
  published: publishedTrust,
  adopted: adoptedTrust,
};
