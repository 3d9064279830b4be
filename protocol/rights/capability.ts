/** What can be granted, and on what: the vocabulary of Capability and Share. */
import { z } from 'zod';
import { MAX_TYPE_NAME } from '../definitions/type-rules.ts';
import { objectName } from '../objects/objects.ts';
import { uid } from './principal.ts';

/**
 * DISCOVER: see kind and name only. READ: see everything. CREATE, UPDATE, DELETE. MANAGE: grant and revoke. REQUEST: send traffic to an
 * app. EXECUTE: run commands, deploy.
 */
export const CAPABILITY_VERBS = ['DISCOVER', 'READ', 'CREATE', 'UPDATE', 'DELETE', 'MANAGE', 'REQUEST', 'EXECUTE'] as const;
export type CapabilityVerb = (typeof CAPABILITY_VERBS)[number];

export const capabilityVerbs = z
  .array(z.enum(CAPABILITY_VERBS))
  .min(1)
  .max(CAPABILITY_VERBS.length)
  .describe('The verbs that are allowed.');

/**
 * What can be granted besides objects. With EXECUTE: `exec`, to start any program on the node, and `cp`, to put files there and read
 * them. With READ: `metrics`, the node's numbers. Their group is dtkd.dev, and their name is the node's. `*` does not include them.
 */
export const GRANTABLE_ACTS = ['exec', 'cp', 'metrics'] as const;
export type GrantableAct = (typeof GRANTABLE_ACTS)[number];

/** Returns the act that a text such as `exec` or `exec.dtkd.dev` names. */
export function actNamed(text: string): GrantableAct | undefined {
  return GRANTABLE_ACTS.find((act) => text === act || text === `${act}.dtkd.dev`);
}

/** How often a right may be delegated in a chain. */
export const MAX_DELEGATION_DEPTH = 4;

/** Which objects of the owner. Each field narrows the scope. */
export const grantScope = z.object({
  kind: z
    .string()
    .max(317)
    .regex(/^(\*|[a-z][a-z0-9]*(\.[a-z0-9.-]+)?)$/, 'must be *, or PLURAL or PLURAL.GROUP')
    .describe(
      'The kind: PLURAL.GROUP, such as `resources.dtkd.dev`, or PLURAL for core kinds. Also `exec.dtkd.dev`, `cp.dtkd.dev` and `metrics.dtkd.dev`. `*` covers all except those that must be named: dtdomains, dtpeers, policies, secrets, events, exec, cp, metrics.',
    ),
  name: objectName.optional().describe('The name of the object. Default: all objects.'),
  model: objectName.optional().describe('The name of a Model. Only it and its resources are covered.'),
  type: z
    .string()
    .max(MAX_TYPE_NAME)
    .optional()
    .describe(
      'A type, such as `WebServer`, or `WebServer@shop` of a service instance. Covers only resources of it or of types that extend it.',
    ),
  labelSelector: z.string().max(1024).optional().describe('A label selector. Only objects that match it are covered.'),
});
export type GrantScope = z.infer<typeof grantScope>;

/** The capability that a delegated one depends on. */
export const parentCapability = z.object({
  name: z.string().max(253).describe('The name of the Capability.'),
  uid: z.string().max(64).describe('The UID of the Capability.'),
  membership: uid
    .optional()
    .describe('The UID of the membership through which the grantor had the Capability. Set only if that was as a member of a trust.'),
});

export const expiry = z.iso.datetime({ offset: true }).max(40).describe('When the grant expires, in RFC 3339. Default: never.');
