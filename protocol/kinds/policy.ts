import { z } from 'zod';
import { digest, MAX_CODE_NAME, moduleVersion, signingKeyText } from '../definitions/code.ts';
import { durationText } from '../definitions/commands.ts';
import type { Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

/** Name of a node's only Policy. */
export const POLICY_NAME = 'node';

/** Maximum length of a pin's name: a code name, `@` and a node's name. */
const MAX_PIN_NAME = MAX_CODE_NAME + 1 + 253;

/**
 * Splits the name of a pin. A module's name alone identifies it: its first publisher keeps the name. Each node names its instances and
 * Types freely, so their pins also name the node: `acme/web@shop@NODE`, `type/NAME@NODE`. Pure.
 */
export function pinParts(name: string): { code: string; node: string | undefined } {
  const [first = '', second, ...rest] = name.split('@');
  if (second === undefined) return { code: first, node: undefined };
  if (rest.length > 0) return { code: `${first}@${second}`, node: rest.join('@') };
  return isTypeCode(first) ? { code: first, node: second } : { code: name, node: undefined };
}

/** Returns the name of the pin for code that a node publishes, with the node's name as known here. */
export function pinNameOf(code: string, node: string): string {
  return isOfNode(code) ? `${code}@${node}` : code;
}

/** True for code that is named by its node alone, so that two nodes may have different code of the same name. */
export function isOfNode(code: string): boolean {
  return isTypeCode(code) || code.includes('@');
}

function isTypeCode(code: string): boolean {
  return code.startsWith('type/');
}

export const policySpec = z.object({
  trust: z
    .array(
      z.object({
        node: z.string().max(253).describe('The name of the node, as this node knows it.'),
        key: signingKeyText
          .optional()
          .describe('The signing key of the node. Decisions use this, not the name. Set by the server when the entry is written.'),
        follow: z
          .boolean()
          .optional()
          .describe('Whether newer versions of pinned code may run at once. Default: false, so that changed code must be pinned first.'),
      }),
    )
    .max(1_024)
    .optional()
    .describe('The nodes whose code may run here and whose models may deploy resources here. This node is always trusted.'),
  pins: z
    .record(
      z.string().max(MAX_PIN_NAME),
      z.object({
        digest,
        publisher: signingKeyText.describe('The signing key of the publisher of the code.'),
        node: z.string().max(253).optional().describe('The name of the publisher. Informational only.'),
        version: moduleVersion.optional(),
      }),
    )
    .optional()
    .describe(
      'The code that may run, by name: `acme/web`, `acme/web@INSTANCE@NODE` or `type/NAME@NODE`. Trusted code is pinned when first seen.',
    ),
  limits: z
    .object({
      concurrency: z
        .number()
        .int()
        .min(1)
        .max(1_024)
        .optional()
        .describe('The maximum number of commands that run at the same time. Default: 16.'),
      timeout: durationText.optional().describe('The maximum run time of a command. Default: 1d.'),
      output: z
        .number()
        .int()
        .min(1_024)
        .max(1_073_741_824)
        .optional()
        .describe('The maximum output kept of a command, in bytes. Default: 16 MiB.'),
      users: z
        .array(z.string().max(64))
        .max(256)
        .optional()
        .describe('The users that commands may run as, besides the user of the daemon.'),
      environment: z
        .array(z.string().max(128))
        .max(256)
        .optional()
        .describe('The environment variables of the daemon that commands get. Default: PATH, LANG, LC_ALL, TZ, HOME, USER, LOGNAME.'),
      keepFor: durationText.optional().describe('How long output and ended executions are kept. Default: 30d.'),
      keepBytes: z.number().int().nonnegative().optional().describe('The maximum total output kept, in bytes. Default: 1 GiB.'),
    })
    .optional()
    .describe('The limits on commands that run on this node.'),
});
export type PolicySpec = z.infer<typeof policySpec>;

/** What may run on this node, besides who may request it (capabilities): whose code, and within which limits. */
export const policyKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Policy',
  plural: 'policies',
  singular: 'policy',
  shortNames: ['pol'],
  scope: 'Namespaced',
  shared: false,
  verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
  description: `Whose code may run on this node, and within which limits. A node has one, named "${POLICY_NAME}".`,
  schema: z.object({ spec: policySpec.describe('The definition of the policy.') }),
  serverFields: [],
  selectableFields: [],
  columns: [
    {
      name: 'Trusts',
      type: 'string',
      description: 'nodes whose code may run here',
      value: (object) =>
        policySpec
          .safeParse(object['spec'] ?? {})
          .data?.trust?.map(({ node }) => node)
          .join(','),
      priority: 0,
    },
  ],
};
