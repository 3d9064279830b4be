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
        node: z.string().max(253).describe('The node, as it is called here.'),
        key: signingKeyText.optional().describe('Its signing key: what counts. Filled in when it is written.'),
        follow: z
          .boolean()
          .optional()
          .describe('Newer code that it publishes runs at once. Default: only code that is pinned, or seen first.'),
      }),
    )
    .max(1_024)
    .optional()
    .describe('Nodes whose code may run here and whose models may deploy resources here; this node itself always.'),
  pins: z
    .record(
      z.string().max(MAX_PIN_NAME),
      z.object({
        digest,
        publisher: signingKeyText.describe('Signing key of the node that answers for it.'),
        node: z.string().max(253).optional().describe('The name of that node, for people.'),
        version: moduleVersion.optional(),
      }),
    )
    .optional()
    .describe(
      'By code name (`acme/web`; of a service instance’s copy `acme/web@INSTANCE@NODE`, of a script in a Type `type/NAME@NODE`): the digest that may run. A trusted publisher’s code is pinned when it is first seen.',
    ),
  limits: z
    .object({
      concurrency: z.number().int().min(1).max(1_024).optional().describe('Parts that run at a time. Default: 16.'),
      timeout: durationText.optional().describe('Longest that a part may run. Default: 1d.'),
      output: z.number().int().min(1_024).max(1_073_741_824).optional().describe('Bytes of output kept of a part. Default: 16 MiB.'),
      users: z.array(z.string().max(64)).max(256).optional().describe("Users as whom commands may run besides the daemon's own."),
      environment: z
        .array(z.string().max(128))
        .max(256)
        .optional()
        .describe("Variables of the daemon's environment that commands see. Default: PATH, LANG, LC_ALL, TZ, HOME, USER, LOGNAME."),
      keepFor: durationText.optional().describe('Output and ended executions are kept so long. Default: 30d.'),
      keepBytes: z.number().int().nonnegative().optional().describe('Bytes of output kept in sum. Default: 1 GiB.'),
    })
    .optional()
    .describe('What commands may take.'),
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
  schema: z.object({ spec: policySpec.describe('What may run here.') }),
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
