/**
 * A bundle: everything that a node must know about a resource that is deployed to it, signed by the node that owns the resource (with its
 * signing key, context `bundle`), so that anybody may deliver it. A node accepts bundles of the nodes that its policy trusts, and never
 * goes back to an older one.
 */
import { z } from 'zod';
import { codeRef, signingKeyText } from '../definitions/code.ts';
import { commands, template } from '../definitions/commands.ts';
import { signedModule } from '../definitions/module.ts';
import { MAX_TYPE_NAME } from '../definitions/type-rules.ts';
import { objectName } from '../objects/objects.ts';

export const MAX_BUNDLE_BYTES = 1024 * 1024;
/** Maximum number of resources in one bundle: the resource itself, its children at any depth, and parents. */
export const MAX_BUNDLED_RESOURCES = 256;

const bundledResource = z.object({
  /** Name of the Resource object. */
  object: objectName,
  uid: z.string().max(64),
  model: z.string().max(253),
  type: z.string().max(MAX_TYPE_NAME),
  name: z.string().max(253),
  labels: z.record(z.string().max(317), z.string().max(63)),
  /** Effective values, including defaults and what children export. */
  properties: z.record(z.string().max(63), z.unknown()),
  /** Names of Resource objects, in this bundle or outside it. */
  parents: z.array(z.string().max(320)).max(256),
  children: z.array(z.string().max(320)).max(4_096),
  /**
   * The nodes that it is deployed to: their names as the owner knows them, and their signing keys (absent if the owner does not know
   * one).
   */
  deployments: z.array(z.object({ node: z.string().max(253), signingKey: signingKeyText.optional() })).max(4_096),
});
export type BundledResource = z.infer<typeof bundledResource>;

export const bundledType = z.object({
  name: z.string().max(MAX_TYPE_NAME),
  extends: z.string().max(MAX_TYPE_NAME).optional(),
  /** Where its commands come from. The commands of a module are read from the module, not from here. */
  code: codeRef.optional(),
  /**
   * Commands defined in the Type object itself. Their code is named `type/NAME`, and its digest covers the canonical JSON of
   * `{commands}`.
   */
  commands: commands.optional(),
  templates: z.array(template).max(64).optional(),
  /** Names of the properties of type secret. */
  secrets: z.array(z.string().max(63)).max(256).optional(),
});
export type BundledType = z.infer<typeof bundledType>;

export const bundle = z.object({
  version: z.literal(1),
  owner: signingKeyText,
  /** The owner's own name, for display. */
  ownerName: z.string().max(253),
  /** Grows with each change of the owner's store. The highest revision counts. */
  revision: z.number().int().nonnegative(),
  /** The first is the resource that the bundle is about. */
  resources: z.array(bundledResource).min(1).max(MAX_BUNDLED_RESOURCES),
  /** The types of all those resources and the types that they extend, by lower-case name. */
  types: z.record(z.string().max(MAX_TYPE_NAME), bundledType),
  /** The signatures of the modules that the types name. */
  modules: z.array(signedModule).max(64),
});
export type Bundle = z.infer<typeof bundle>;

/** A bundle on the wire and on disk: the CBOR of this, at most MAX_BUNDLE_BYTES. */
export const signedBundle = z.object({ bundle: z.instanceof(Uint8Array), signature: z.instanceof(Uint8Array) });
export type SignedBundle = z.infer<typeof signedBundle>;
