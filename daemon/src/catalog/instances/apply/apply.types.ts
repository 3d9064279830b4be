/**
 * The objects that an instance should have, as one transaction writes them. Names of types are bare throughout; the instance's
 * name is added here.
 */
import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import type { ModuleType } from '../../../../../protocol/definitions/module.ts';
import type { DtkdError } from '../../../../../protocol/errors.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import type { Plural } from '../../model/objects.ts';

/**
 * The transaction, the principal and the instance of a write. The same transaction must write the ServiceInstance object, or it
 * is refused.
 */
export interface Applying {
  tx: Transaction;
  principal: Principal;
  instance: string;
  /**
   * For dry runs: called with each object that the principal may not write or delete, and the write goes on. Absent: the first
   * refusal is thrown.
   */
  refused?(one: Refused): void;
}

/** An object that the principal may not write or delete. */
export interface Refused {
  plural: Plural;
  name: string;
  error: DtkdError;
}

/** A type of one of the instance's module copies. */
export interface TypeToWrite {
  /** Bare, spelled as in the module. */
  name: string;
  type: ModuleType;
  /** The published copy, as `publishCopy` returned it. */
  code: CodeRef & { version: string };
}

export interface ResourceToWrite {
  /** Name within the instance: `web-1`. */
  name: string;
  component: string;
  /** Bare name of one of the instance's types, otherwise of a built-in one. */
  type: string;
  node: string;
  /** Own values. */
  properties: Readonly<Record<string, unknown>>;
  /** Parent resources, of the same instance. */
  parents: readonly string[];
  description?: string | undefined;
}

/** Names of what was written: bare for types, within the instance for resources. */
export interface Written {
  created: string[];
  changed: string[];
  removed: string[];
}

export interface WrittenTypes extends Written {
  /**
   * Code of all types that the instance has now, including types that stay because resources still use them. `releaseCopies` has
   * to keep it.
   */
  code: CodeRef[];
}

/** Writes the Model, Types and Resources of an instance. Errors of all methods: FORBIDDEN, INVALID, CONFLICT, ALREADY_EXISTS. */
export interface InstanceObjects {
  /** Creates or updates the Model with the instance's name. ALREADY_EXISTS if that Model does not belong to the instance. */
  applyModel(as: Applying, model: { description?: string | undefined }): Promise<void>;
  /**
   * Writes these types and removes the instance's others. A type stays while resources not named in `deleted` are of it or of one
   * of its subtypes. It then keeps its code, under a name of its own (`leftCode`) if newer code has taken the old name.
   */
  applyTypes(as: Applying, types: readonly TypeToWrite[], deleted?: readonly string[]): Promise<WrittenTypes>;
  /**
   * Writes the resources that differ and deletes those named in `deleted`; leaves all others alone. Their types must be written
   * before. `leaving`: resources that are no longer wanted but stay until they are taken down. They keep their properties even if
   * these no longer fit their types, so that a change of types need not wait for them.
   */
  applyResources(
    as: Applying,
    resources: readonly ResourceToWrite[],
    deleted: readonly string[],
    leaving?: readonly string[],
  ): Promise<Written>;
  /** Does all three in the right order. */
  apply(
    as: Applying,
    state: {
      description?: string | undefined;
      types: readonly TypeToWrite[];
      resources: readonly ResourceToWrite[];
      deleted: readonly string[];
      leaving?: readonly string[] | undefined;
    },
  ): Promise<{ types: WrittenTypes; resources: Written }>;
  /** Deletes all resources, types and the Model of the instance. */
  removeAll(as: Applying): Promise<void>;
}
