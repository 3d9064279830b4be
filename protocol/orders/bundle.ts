/**
 * A bundle: all that a node needs to know of a resource that is deployed to it, said and signed by the node that owns the resource
 * (its signing key, context `bundle`), so that anybody may bring it. A node takes bundles of the nodes that its policy trusts, and never goes
 * back to an older one.
 */
import { z } from 'zod';
import { codeRef, signingKeyText } from '../definitions/code.ts';
import { commands, template } from '../definitions/commands.ts';
import { signedModule } from '../definitions/module.ts';
import { MAX_TYPE_NAME } from '../definitions/type-rules.ts';
import { objectName } from '../objects/objects.ts';

export const MAX_BUNDLE_BYTES = 1024 * 1024;
/** Related resources in one bundle: children at any depth, and parents. */
export const MAX_BUNDLED_RESOURCES = 256;

const bundledResource = z.object({
  /** Of the Resource object. */
  object: objectName,
  uid: z.string().max(64),
  model: z.string().max(253),
  type: z.string().max(MAX_TYPE_NAME),
  name: z.string().max(253),
  labels: z.record(z.string().max(317), z.string().max(63)),
  /** Effective: with defaults, and what children export. */
  properties: z.record(z.string().max(63), z.unknown()),
  /** Objects of this bundle, or outside of it, by their names. */
  parents: z.array(z.string().max(320)).max(256),
  children: z.array(z.string().max(320)).max(4_096),
  /** Where it is deployed: names as the owner knows them, and the signing keys of those nodes (absent where the owner does not know one). */
  deployments: z.array(z.object({ node: z.string().max(253), signingKey: signingKeyText.optional() })).max(4_096),
});
export type BundledResource = z.infer<typeof bundledResource>;

export const bundledType = z.object({
  name: z.string().max(MAX_TYPE_NAME),
  extends: z.string().max(MAX_TYPE_NAME).optional(),
  /** Where its commands come from. Of a module they are read from the module, and not from here. */
  code: codeRef.optional(),
  /** Commands that stand in the Type object itself. Their code is `type/NAME`, the digest is over the canonical JSON of `{commands}`. */
  commands: commands.optional(),
  templates: z.array(template).max(64).optional(),
  /** Names of properties of type secret. */
  secrets: z.array(z.string().max(63)).max(256).optional(),
});
export type BundledType = z.infer<typeof bundledType>;

export const bundle = z.object({
  version: z.literal(1),
  owner: signingKeyText,
  /** The owner's name for itself, to show. */
  ownerName: z.string().max(253),
  /** Grows with each change of the owner's store: the later one counts. */
  revision: z.number().int().nonnegative(),
  /** The first is what the bundle is about. */
  resources: z.array(bundledResource).min(1).max(MAX_BUNDLED_RESOURCES),
  /** All types of those resources with what they extend, by lower-case name. */
  types: z.record(z.string().max(MAX_TYPE_NAME), bundledType),
  /** The signatures of the modules that the types name. */
  modules: z.array(signedModule).max(64),
});
export type Bundle = z.infer<typeof bundle>;

/** As it travels and is kept: CBOR of this, at most MAX_BUNDLE_BYTES. */
export const signedBundle = z.object({ bundle: z.instanceof(Uint8Array), signature: z.instanceof(Uint8Array) });
export type SignedBundle = z.infer<typeof signedBundle>;
