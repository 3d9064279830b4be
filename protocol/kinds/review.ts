/** Reviews: questions of clients about their own rights. They can only be created, are answered at once and never stored. */
import { z } from 'zod';
import type { Kind } from './kind.ts';

const AUTHORIZATION_GROUP = 'authorization.k8s.io';
const AUTHENTICATION_GROUP = 'authentication.k8s.io';

/** What discovery reports of a kind. */
export type DiscoveredKind = Pick<Kind, 'group' | 'version' | 'kind' | 'plural' | 'singular' | 'shortNames' | 'scope'> & {
  verbs: readonly string[];
};

const review = (group: string, kind: string): DiscoveredKind => ({
  group,
  version: 'v1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  shortNames: [],
  scope: 'Cluster',
  verbs: ['create'],
});

export const selfSubjectReview = review(AUTHENTICATION_GROUP, 'SelfSubjectReview');
export const selfSubjectAccessReview = review(AUTHORIZATION_GROUP, 'SelfSubjectAccessReview');
export const selfSubjectRulesReview = review(AUTHORIZATION_GROUP, 'SelfSubjectRulesReview');

export const REVIEWS: readonly DiscoveredKind[] = [selfSubjectReview, selfSubjectAccessReview, selfSubjectRulesReview];

const text = z.string().max(253).default('');

const resourceAttributes = z.object({
  namespace: text.describe('The node that owns the objects. If empty: this node, or all nodes.'),
  verb: text.describe('The verb: get, list, watch, create, update, patch, delete, deletecollection or *.'),
  group: text.describe('The API group of the kind.'),
  resource: text.describe('The plural of the kind.'),
  subresource: text.describe('The subresource.'),
  name: text.describe('The name of the object. If empty: any object.'),
});
export type ResourceAttributes = z.infer<typeof resourceAttributes>;

export const accessReviewSpec = z.object({
  resourceAttributes: resourceAttributes.nullish().describe('A request for objects.'),
  nonResourceAttributes: z
    .object({
      path: z.string().max(1024).default('').describe('The path of the URL.'),
      verb: text.describe('The HTTP method in lower case, such as get.'),
    })
    .nullish()
    .describe('A request for a path that is not of an object.'),
});

export const rulesReviewSpec = z.object({ namespace: text.describe('The node to review the rules of. If empty: this node.') });

/** What a user may do, as far as rules can express it. */
export const accessRules = z.object({
  resourceRules: z
    .array(
      z.object({
        verbs: z.array(z.string().max(63)).max(32),
        apiGroups: z.array(z.string().max(253)).max(64),
        resources: z.array(z.string().max(253)).max(64),
        resourceNames: z.array(z.string().max(253)).max(1024).optional(),
      }),
    )
    .max(1024),
  /** Why the rules may be incomplete. */
  incomplete: z.string().max(1024).optional(),
});
export type AccessRules = z.infer<typeof accessRules>;
