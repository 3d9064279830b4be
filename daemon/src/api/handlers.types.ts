import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../protocol/rights/capability.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';

export type { Principal } from '../../../protocol/rights/principal.ts';

export interface WriteContext {
  principal: Principal;
  dryRun: boolean;
  /** Of a deletion: what depends on the object goes with it. */
  cascade: boolean;
  /** Adds a `Warning` header to the answer: a short sentence for people. */
  warn(text: string): void;
}

/**
 * What a kind does beyond being stored. Each function runs before the store is touched and may throw a DtkdError to refuse.
 * A returned object is stored in place of the given one; `handled` means that the handler stored or deleted it itself.
 */
export interface KindHandler {
  create?(object: ApiObject, context: WriteContext): Promise<ApiObject | { handled: ApiObject }>;
  update?(object: ApiObject, previous: ApiObject, context: WriteContext): Promise<ApiObject | { handled: ApiObject }>;
  delete?(object: ApiObject, context: WriteContext): Promise<undefined | { handled: ApiObject }>;
}

/** A request to a subresource, `…/{plural}/{name}/{subresource}[/{rest}]`, or to a daemon-wide action, with its JSON body parsed. */
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
  /** The object of a subresource, where there is one. A user is let through only if there is. */
  object?: ApiObject;
  /** Aborts when the client goes away. */
  signal: AbortSignal;
}

/** Answers with a JSON value, or streams JSON lines until done or aborted. */
export interface Action {
  (request: ActionRequest): Promise<unknown | { stream: AsyncIterable<unknown> }>;
  /** Bytes of its body at most; absent: as for every request. */
  maxBodyBytes?: number;
  /**
   * Of a subresource: which right on the object it needs. An action that says so is there for users of other nodes, too; absent: it needs
   * MANAGE, and is there for this node's operator and users only.
   */
  verb?: CapabilityVerb;
  /** Of a subresource: it makes its object, so who is refused is told that it is the operator's, not that there is no such object. */
  makes?: boolean;
  /**
   * Of a daemon-wide action: `user` opens it to every user of this node, `anybody` also to those of other nodes. It decides for itself what
   * they may. Absent: the operator's alone.
   */
  open?: 'user' | 'anybody';
}

/** What daemon.ts hands to the API: handlers by `group/plural`, subresources by `group/plural/subresource`, daemon actions by name. */
export interface ApiExtensions {
  kinds: ReadonlyMap<string, KindHandler>;
  subresources: ReadonlyMap<string, Action>;
  /** Served at `/apis/dtkd.dev/v1/daemon/{name}`: status, token (rotation), and the like. */
  actions: ReadonlyMap<string, Action>;
}
