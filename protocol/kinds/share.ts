import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { capabilityVerbs, expiry, grantScope, parentCapability } from '../rights/capability.ts';
import { grantor, publishedGrantor, subject } from '../rights/principal.ts';
import { adoptedBySubject } from './adopting.ts';
import { scopeText } from './capability.ts';
import type { Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

const schema = z.object({
  spec: z
    .object({
      trust: z.string().max(320).describe('The Trust that the objects are shared into: TRUST@NODE.'),
      verbs: capabilityVerbs,
      on: grantScope.describe('The objects of this node that are shared.'),
      expires: expiry.optional(),
    })
    .describe('The definition of the share.'),
  subject: subject
    .extend({ domain: z.string().max(253).optional().describe('The name of the dtDomain through which the home node is known.') })
    .optional()
    .describe('The Trust that spec.trust named when the share was created. Decisions use this, not the name.'),
  grantor: grantor.optional().describe('The user who created the share. Not set if it was the operator of the node.'),
  parent: parentCapability
    .optional()
    .describe('The Capability that allowed the grantor to share. The share is valid only while that Capability is.'),
});
export const shareSchema = schema;

function publishedShare({ apiVersion, kind, metadata, ...fields }: ApiObject, domain: string): ApiObject {
  const { annotations: _annotations, namespace: _namespace, ...meta } = metadata;
  const user = publishedGrantor(schema.parse(fields));
  const { domain: _domain, ...kept } = { domain, ...user.subject };
  return { apiVersion, kind, metadata: meta, ...user, ...(user.subject === undefined ? {} : { subject: kept }) };
}

/** An owner's statement that some of its objects are shared into a trust. */
export const shareKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Share',
  plural: 'shares',
  singular: 'share',
  shortNames: ['shr'],
  scope: 'Namespaced',
  shared: true,
  verbs: ['get', 'list', 'watch', 'create', 'delete'],
  description: 'A grant of rights on objects of this node to the current members of a Trust.',
  schema,
  serverFields: ['subject', 'grantor', 'parent'],
  selectableFields: ['spec.trust'],
  columns: [
    { name: 'Trust', type: 'string', description: 'trust that the objects are shared into', path: 'spec.trust', priority: 0 },
    {
      name: 'Verbs',
      type: 'string',
      description: 'what the members of the trust may do',
      value: (object) => schema.safeParse(object).data?.spec.verbs.join(','),
      priority: 0,
    },
    {
      name: 'On',
      type: 'string',
      description: 'objects that are shared',
      value: (object) => scopeText(schema.safeParse(object).data?.spec.on),
      priority: 0,
    },
  ],
  domainsOf: (object) => {
    const parsed = schema.safeParse(object).data;
    if (parsed?.subject === undefined) return [];
    const { home, domain } = parsed.subject;
    // It names the user who shared it, who must not become known in another domain than its own.
    const only = parsed.grantor?.domain;
    if (home === 'self') return [only ?? '*'];
    return domain === undefined || (only !== undefined && only !== domain) ? [] : [domain];
  },
  published: publishedShare,
  adopted: adoptedBySubject,
};
