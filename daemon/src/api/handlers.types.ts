import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';

export type { Principal } from '../../../protocol/rights/principal.ts';

export interface WriteContext {
  principal: Principal;
  dryRun: boolean;
  /** For a deletion: also delete what depends on the object. */
  cascade: boolean;
  /** Adds a `Warning` header to the answer: a short sentence for people. */
  warn(text: string): void;
}

/**
 * What a kind does besides being stored. Each function runs before the store is touched, and may throw a DtkdError to refuse. A
 * returned object is stored in place of the given one; `handled` means that the handler has stored or deleted it itself.
 */
export interface KindHandler {
  create?(object: ApiObject, context: WriteContext): Promise<ApiObject | { handled: ApiObject }>;
  update?(object: ApiObject, previous: ApiObject, context: WriteContext): Promise<ApiObject | { handled: ApiObject }>;
  delete?(object: ApiObject, context: WriteContext): Promise<undefined | { handled: ApiObject }>;
}

/** A request to a subresource, `…/{plural}/{name}/{subresource}[/{rest}]`, or to a daemon-wide action. Its JSON body is parsed. */
export interface ActionRequest {
  principal: Principal;
  namespace: string;
  name: string;
  /** Path segments after the subresource's own. */
  rest: readonly string[];
  method: 'GET' | 'POST' | 'DELETE';
  /** Query parameters. */
  query: URLSearchParams;
  body: unknown;
  /** The object that the subresource belongs to, if it exists. Users are let through only if it does. */
  object?: ApiObject;
  /** Aborts when the client goes away. */
  signal: AbortSignal;
}

/** Returns a JSON value, or a stream of JSON lines that runs until done or aborted. */
export interface Action {
  (request: ActionRequest): Promise<unknown | { stream: AsyncIterable<unknown> }>;
  /** Maximum size of the request body in bytes. Default: the limit for all requests. */
  maxBodyBytes?: number;
  /**
   * For a subresource: the right on the object that it needs. Stating one also opens the action to users of other nodes. Without
   * one it needs MANAGE, and is open to this node's operator and users only.
   */
  verb?: CapabilityVerb;
  /**
   * For a subresource that creates its object: a refused caller is told that only the operator may do this, rather than that the
   * object does not exist.
   */
  makes?: boolean;
  /**
   * For a daemon-wide action: `user` opens it to every user of this node, `anybody` also to users of other nodes. The action then
   * decides itself what they may do. Absent: for the operator alone.
   */
  open?: 'user' | 'anybody';
}

/** What daemon.ts passes to the API: handlers by `group/plural`, subresources by `group/plural/subresource`, daemon actions by name. */
export interface ApiExtensions {
  kinds: ReadonlyMap<string, KindHandler>;
  subresources: ReadonlyMap<string, Action>;
  /** Served at `/apis/dtkd.dev/v1/daemon/{name}`: status, token (rotation), and others. */
  actions: ReadonlyMap<string, Action>;
}
