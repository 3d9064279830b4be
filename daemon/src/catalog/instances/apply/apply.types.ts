/** What an instance's objects should be, as they are written in one transaction. Types are bare names throughout: the instance is put to them here. */
import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import type { ModuleType } from '../../../../../protocol/definitions/module.ts';
import type { DtkdError } from '../../../../../protocol/errors.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import type { Plural } from '../../model/objects.ts';

/** In which transaction, as whom, and of which instance. The same transaction has to write the ServiceInstance object, or is refused. */
export interface Applying {
  tx: Transaction;
  principal: Principal;
  instance: string;
  /** Of a trial: is told each thing that the principal may not do, which is then done all the same. Absent: the first of them is thrown. */
  refused?(one: Refused): void;
}

/** An object that somebody may not write, or take away. */
export interface Refused {
  plural: Plural;
  name: string;
  error: DtkdError;
}

/** A type of one of the instance's module copies. */
export interface TypeToWrite {
  /** Bare, as the module spells it. */
  name: string;
  type: ModuleType;
  /** The copy as it was published: what `publishCopy` gave. */
  code: CodeRef & { version: string };
}

export interface ResourceToWrite {
  /** Within the instance: `web-1`. */
  name: string;
  component: string;
  /** Bare: one of the instance's types, else a built-in one. */
  type: string;
  node: string;
  /** Own values. */
  properties: Readonly<Record<string, unknown>>;
  /** Resources of the same instance that it is a child of. */
  parents: readonly string[];
  description?: string | undefined;
}

/** Names of what was written: types bare, resources within the instance. */
export interface Written {
  created: string[];
  changed: string[];
  removed: string[];
}

export interface WrittenTypes extends Written {
  /** Code of all types that the instance has now, also of those that stayed because resources are of them yet: what `releaseCopies` has to keep. */
  code: CodeRef[];
}

/** The Model, Types and Resources of an instance. Errors of all: FORBIDDEN, INVALID, CONFLICT, ALREADY_EXISTS. */
export interface InstanceObjects {
  /** Makes the Model of the instance's name, or changes what it says. ALREADY_EXISTS if there is one that is none of the instance's. */
  applyModel(as: Applying, model: { description?: string | undefined }): Promise<void>;
  /**
   * Makes the types be these. Others that the instance has go, unless resources are of them (or of types that extend them) that `deleted` does not
   * name: those stay as they are until then, with their code by a name of its own (`leftCode`) where newer code has the one that it had.
   */
  applyTypes(as: Applying, types: readonly TypeToWrite[], deleted?: readonly string[]): Promise<WrittenTypes>;
  /**
   * Writes the resources that are not so yet, and deletes those that are named; leaves all others alone. Their types are to be written before.
   * `leaving`: resources that stay until they are taken down, but are wanted no more. They keep what they have, whether or not that still fits their
   * types: a change of these does not wait for them.
   */
  applyResources(
    as: Applying,
    resources: readonly ResourceToWrite[],
    deleted: readonly string[],
    leaving?: readonly string[],
  ): Promise<Written>;
  /** All three, in the right order. */
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
