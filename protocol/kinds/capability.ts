import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { capabilityVerbs, expiry, grantScope, parentCapability } from '../rights/capability.ts';
import { grantor, publishedGrantor, subject } from '../rights/principal.ts';
import { adoptedBySubject } from './adopting.ts';
import type { Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

const schema = z.object({
  spec: z
    .object({
      to: z.string().max(320).describe('Who gets the right: USER@NODE, or trust:TRUST@NODE for the current members of a Trust.'),
      verbs: capabilityVerbs,
      on: grantScope.describe('The objects of this node that the right covers.'),
      expires: expiry.optional(),
    })
    .describe('The definition of the right.'),
  subject: subject
    .extend({
      kind: z.enum(['User', 'Trust']).describe('The kind of the subject: User or Trust.'),
      domain: z.string().max(253).optional().describe('The name of the dtDomain through which the home node is known.'),
    })
    .optional()
    .describe('The user or Trust that spec.to named when the right was granted. Decisions use this, not the name.'),
  grantor: grantor.optional().describe('The user who granted the right. Not set if it was the operator of the node.'),
  parent: parentCapability.optional().describe('The Capability that was passed on. This one is valid only while that one is.'),
});
export const capabilitySchema = schema;

function publishedCapability({ apiVersion, kind, metadata, ...fields }: ApiObject, domain: string): ApiObject {
  const { annotations: _annotations, namespace: _namespace, ...meta } = metadata;
  const user = publishedGrantor(schema.parse(fields));
  const { domain: _domain, ...kept } = { domain, ...user.subject };
  return { apiVersion, kind, metadata: meta, ...user, ...(user.subject === undefined ? {} : { subject: kept }) };
}

/** A right that the owner of objects grants to a user or to the members of a trust. */
export const capabilityKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Capability',
  plural: 'capabilities',
  singular: 'capability',
  shortNames: ['cap', 'caps'],
  scope: 'Namespaced',
  shared: true,
  verbs: ['get', 'list', 'watch', 'create', 'delete'],
  description: 'A right that the owner of objects gives to a user or to the members of a Trust. Only the owner enforces it.',
  schema,
  serverFields: ['subject', 'grantor', 'parent'],
  selectableFields: ['spec.to', 'spec.on.kind', 'spec.on.model'],
  columns: [
    { name: 'To', type: 'string', description: 'who has the right', path: 'spec.to', priority: 0 },
    {
      name: 'Verbs',
      type: 'string',
      description: 'what the right allows',
      value: (object) => schema.safeParse(object).data?.spec.verbs.join(','),
      priority: 0,
    },
    {
      name: 'On',
      type: 'string',
      description: 'objects that the right covers',
      value: (object) => scopeText(schema.safeParse(object).data?.spec.on),
      priority: 0,
    },
    { name: 'Expires', type: 'string', description: 'when the right ends', path: 'spec.expires', priority: 0 },
    { name: 'Parent', type: 'string', description: 'capability that was passed on', path: 'parent.name', priority: 1 },
  ],
  domainsOf: (object) => {
    const parsed = schema.safeParse(object).data;
    const domain = parsed?.subject?.domain;
    // It names its grantor, who must not become known in another domain than its own.
    const other = parsed?.grantor?.domain !== undefined && parsed.grantor.domain !== domain;
    return domain === undefined || other ? [] : [domain];
  },
  published: publishedCapability,
  adopted: adoptedBySubject,
};

/** Formats a scope for people: `resources.dtkd.dev model=web tier=front`. */
export function scopeText(scope: z.infer<typeof grantScope> | undefined): string {
  if (scope === undefined) return '';
  const parts = [scope.kind];
  if (scope.name !== undefined) parts.push(scope.name);
  if (scope.model !== undefined) parts.push(`model=${scope.model}`);
  if (scope.type !== undefined) parts.push(`type=${scope.type}`);
  if (scope.labelSelector !== undefined) parts.push(scope.labelSelector);
  return parts.join(' ');
}
