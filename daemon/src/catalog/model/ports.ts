/** What the model needs from the rest of the daemon, and the shape of what it offers to the API. The daemon's wiring connects both. */
import type { z } from 'zod';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject, objectMeta } from '../../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';

/** Decides what a principal may do with an object. `Access.decide` implements it. */
export type Decide = (
  principal: Principal,
  asked: { verb: CapabilityVerb; group: string; plural: string; name: string; object?: ApiObject },
) => { allowed: true } | { allowed: false; reason: string };

/** Decides about a change that may move an object from one grant to another. */
export type DecideMove = (
  principal: Principal,
  about: { group: string; plural: string; name: string },
  before: ApiObject,
  after: ApiObject,
) => { allowed: true } | { allowed: false; reason: string };

/** A document as parsed by the API. */
export interface ModelDocument {
  fields: Record<string, unknown>;
  metadata: z.infer<typeof objectMeta>;
  /** Paths of fields that the kind does not have. */
  unknown: string[];
}

/** Converts documents to objects like the API itself, so that import and apply have the same result. */
export interface Documents {
  /** Throws INVALID with causes, or BAD_REQUEST. */
  parse(kind: Kind, body: unknown): ModelDocument;
  created(kind: Kind, document: ModelDocument, name: string, namespace: string, creator?: string): ApiObject;
  changed(kind: Kind, stored: ApiObject, document: ModelDocument): ApiObject;
}

/** A write: who makes it, whether it is a dry run, and a way to send the client warnings. */
export interface HandlerContext {
  principal: Principal;
  dryRun: boolean;
  cascade: boolean;
  warn(text: string): void;
}

export interface ModelHandler {
  create?(object: ApiObject, context: HandlerContext): Promise<ApiObject>;
  update?(object: ApiObject, previous: ApiObject, context: HandlerContext): Promise<ApiObject>;
  delete?(object: ApiObject, context: HandlerContext): Promise<undefined | { handled: ApiObject }>;
}

/** A request to a subresource or a daemon-wide action. */
export interface ModelActionRequest {
  principal: Principal;
  name: string;
  method: 'GET' | 'POST' | 'DELETE';
  body: unknown;
}

/** An action, with the verb that it needs on the object or the principals that it is open to, as the API reads them. */
export interface ModelAction {
  (request: ModelActionRequest): Promise<unknown>;
  maxBodyBytes?: number;
  verb?: CapabilityVerb;
  open?: 'user';
}
