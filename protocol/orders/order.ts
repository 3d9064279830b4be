/**
 * An order: the share of a plan that one target gets. A plan is a header and a list of targets; the header's hash is the id of the
 * execution. Each target gets the header, its own entry, and a proof that the entry belongs to the plan (a path in a Merkle tree as in
 * RFC 6962 §2.1: leaves are hashed with the prefix 0x00, nodes with 0x01), and so learns nothing of the others. plan-tree.ts encodes,
 * hashes and proves.
 */
import { z } from 'zod';
import { digest, MAX_CODE_NAME, signingKeyText } from '../definitions/code.ts';
import { MAX_TYPE_NAME } from '../definitions/type-rules.ts';
import { objectName } from '../objects/objects.ts';

export const MAX_TARGETS = 2_000;
export const MAX_ORDER_BYTES = 256 * 1024;
/** The longest an order may wait for its target: 7 days. */
export const MAX_ORDER_LIFETIME_MS = 7 * 24 * 3_600_000;
/** The longest time a command may run. */
export const MAX_TIMEOUT_MS = 7 * 24 * 3_600_000;
export const DEFAULT_TIMEOUT_MS = 3_600_000;

const bytes32 = z.instanceof(Uint8Array).refine((value) => value.length === 32, 'must be 32 bytes');

/** SHA-256 of the plan's header as encoded: 64 hexadecimal digits. */
export const executionId = digest;
export type ExecutionId = string;

export const optionValue = z.union([z.string().max(16_384), z.number(), z.boolean()]);
export type OptionValue = z.infer<typeof optionValue>;

/** A command of a resource. */
export const commandWork = z.object({
  type: z.literal('command').describe('The type of the work: command, exec, put or get.'),
  owner: signingKeyText.describe('The signing key of the node that owns the resource.'),
  resource: z
    .object({
      object: objectName.describe('The name of the Resource object.'),
      uid: z.string().max(64).describe('The UID of the Resource object.'),
      model: z.string().max(253).describe('The model of the resource.'),
      type: z.string().max(MAX_TYPE_NAME).describe('The type of the resource.'),
      name: z.string().max(253).describe('The name of the resource within its model and type.'),
    })
    .describe('The resource whose command runs.'),
  command: z.string().max(63).describe('The name of the command.'),
  options: z.record(z.string().max(63), optionValue).describe('The options as given. The target fills in the defaults.'),
  code: z
    .record(z.string().max(MAX_CODE_NAME), digest)
    .describe('The digests of all code that the command may run, by the name of the code.'),
});
/** Runs any program. Requires a capability for exec. */
const execWork = z.object({
  type: z.literal('exec'),
  argv: z.array(z.string().max(131_072)).min(1).max(1_024).describe('The program and its arguments.'),
  env: z.record(z.string().max(128), z.string().max(16_384)).describe('Environment variables for the program.'),
  directory: z.string().max(4_096).optional().describe('The working directory of the program.'),
  user: z.string().max(64).optional().describe('The user to run the program as.'),
});
/** Puts a file in place. Requires a capability for cp. The target fetches the content by its digest. */
const putWork = z.object({
  type: z.literal('put'),
  path: z.string().max(4_096).startsWith('/').describe('The absolute path of the file.'),
  mode: z.number().int().min(0).max(0o777).describe('The permission bits of the file.'),
  size: z.number().int().nonnegative().describe('The size of the file, in bytes.'),
  digest,
});
/**
 * Reads a file. Requires a capability for cp. The target keeps a copy for the starter until `notAfter`, and reports its digest, size and
 * mode.
 */
const getWork = z.object({ type: z.literal('get'), path: z.string().max(4_096).startsWith('/') });

export const work = z.discriminatedUnion('type', [commandWork, execWork, putWork, getWork]);
export type Work = z.infer<typeof work>;
export type CommandWork = z.infer<typeof commandWork>;
export type ExecWork = z.infer<typeof execWork>;

/** One target of a plan. */
export const planEntry = z.object({
  node: z.string().max(253).describe('The name of the target, as the starting node knows it.'),
  key: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('The key of the target in the domain.'),
  domain: z
    .string()
    .max(128)
    .describe(
      'The ID of the domain used to reach the target. Empty for the starting node, whose signing key is then in `key` and `starter`.',
    ),
  starter: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('The key of the starting node in that domain.'),
  work: work.describe('The work to do on the target.'),
});
export type PlanEntry = z.infer<typeof planEntry>;

export const planHeader = z.object({
  version: z.literal(1),
  nonce: z.instanceof(Uint8Array).refine((value) => value.length === 16, 'must be 16 bytes'),
  /** Names of the starting node and of the user, for display. */
  starter: z.string().max(253),
  user: z.string().max(320),
  /** Milliseconds since the epoch. A target starts nothing before `notBefore` or after `notAfter`. */
  createdAt: z.number().int(),
  notBefore: z.number().int(),
  notAfter: z.number().int(),
  /** Time limit for the work at each target, in milliseconds. */
  timeoutMs: z.number().int().positive().max(MAX_TIMEOUT_MS),
  /** The number of targets, and the root of their tree. */
  count: z.number().int().positive().max(MAX_TARGETS),
  root: bytes32,
});
export type PlanHeader = z.infer<typeof planHeader>;

/** An order on the wire. `header` and `entry` are CBOR, byte for byte as hashed. */
export const order = z.object({
  header: z.instanceof(Uint8Array),
  entry: z.instanceof(Uint8Array),
  index: z
    .number()
    .int()
    .nonnegative()
    .max(MAX_TARGETS - 1),
  /** Hashes from the leaf up. */
  proof: z.array(bytes32).max(11),
});
export type Order = z.infer<typeof order>;
