/** Identifies code: modules, their versions and digests, and their publishers. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isRecord } from '../encoding/json.ts';
import type { Commands } from './commands.ts';

/** SHA-256 in hex. */
export const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 digest of 64 hexadecimal digits')
  .describe('A SHA-256, 64 hexadecimal digits.');
/** A node's signing key: ed25519, 64 hexadecimal digits like a PeerKey. */
export const signingKeyText = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a key of 64 hexadecimal digits')
  .describe('The signing key of a node: Ed25519, 64 hexadecimal digits.');

/** `acme/web`: the maker and the module. `type/…` is reserved for commands in a Type object. */
export const moduleName = z
  .string()
  .max(127)
  .regex(/^(?!type\/)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a module name such as acme/web')
  .describe('The name of the module, such as acme/web.');
/** Also the message for a non-string, since YAML reads `1.0` as a number. */
const VERSION_SAID = 'must be a version such as 1.2.0 or 1.2.0-rc.1';

export const moduleVersion = z
  .string(VERSION_SAID)
  .max(64)
  .regex(/^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9a-z]+([.-][0-9a-z]+)*)?$/, VERSION_SAID)
  .describe('The version of the module, such as 1.2.0.');

/** Maximum length of a code name, including the instance whose copy it may be. */
export const MAX_CODE_NAME = 178;

/**
 * `acme/web`; `acme/web@shop`: the copy of it that the service instance `shop` has, as published by its node; `acme/web@shop.3`: what is
 * left of version 0.0.3 of that copy.
 */
export const codeName = z
  .string()
  .max(MAX_CODE_NAME)
  .regex(
    /^(?!type\/)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(@[a-z]([a-z0-9-]{0,38}[a-z0-9])?(\.[0-9]{1,9})?)?$/,
    'must be a module name such as acme/web, the name of a copy such as acme/web@shop, or of the remains of a copy such as acme/web@shop.3',
  )
  .describe('The name of the module, such as acme/web, or acme/web@shop for the copy of the service instance shop.');

/** A range of versions in npm's syntax: `1.2.0`, `^1.2.0`, `>=1 <3`, `*`. */
export const versionRange = z.string().min(1).max(128);

/**
 * Code that a command runs, and its publisher. `name`: `acme/web`, `acme/web@shop` for an instance's copy, or `type/NAME` for scripts in
 * a Type object itself.
 */
export const codeRef = z.object({
  name: z
    .string()
    .max(MAX_CODE_NAME)
    .describe(
      'The name of the code: `acme/web`, `acme/web@shop` for the copy of a service instance, or `type/NAME` for commands in a Type.',
    ),
  version: z.string().max(64).optional().describe('The version of the code.'),
  digest,
  publisher: signingKeyText,
});
export type CodeRef = z.infer<typeof codeRef>;

/**
 * Returns the digest of commands in a Type object: SHA-256 of the JSON of `{commands}`, with all keys sorted by code units and without
 * white space.
 */
export function commandsDigest(commands: Commands): string {
  return createHash('sha256').update(canonicalJson({ commands })).digest('hex');
}

/** Returns the reference to the commands of a Type object: `type/NAME`, published by the node that has the object. */
export function inlineCode(type: string, commands: Commands, publisher: string): CodeRef {
  return { name: `type/${type}`, digest: commandsDigest(commands), publisher };
}

/** Returns JSON with all keys sorted by code units, without white space and undefined values: equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  const keys = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`;
}
