/**
 * Writes the Model, Types and Resources of a service instance within the caller's transaction, on behalf of the principal. Writes
 * only what differs. Does not validate: the rules of the model do, in the same transaction. Does not decide what the instance
 * should be, and runs nothing.
 */
import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import { bareType, leftCode } from '../../../../../protocol/definitions/scoped-names.ts';
import { jsonEqual } from '../../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../../../protocol/kinds/model.ts';
import { COMPONENT_LABEL, INSTANCE_LABEL, LEAVING_LABEL } from '../../../../../protocol/kinds/service-instance.ts';
import type { ApiObject, ObjectRef } from '../../../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION, type Principal, subjectText } from '../../../../../protocol/rights/principal.ts';
import { type Plural, refIn, typeNameOf, typeSpecOf } from '../../model/objects.ts';
import type { Rights, WrittenObject } from '../../model/rights.ts';
import { resourcesOfType, subtypesOf } from '../../model/rules/dependents.ts';
import type { Applying, InstanceObjects, ResourceToWrite, TypeToWrite, Written, WrittenTypes } from './apply.types.ts';
import { type Meaning, meaningOf, resourceObjectName, resourceSpecFor, scopedTypes } from './scoping.ts';
import { isForeign, takenText } from './taken.ts';

/** Objects of one kind that are looked up: more than an instance's resources or its modules' types can be. */
const MAX_OBJECTS = 100_000;

const KINDS: Readonly<Record<Plural, string>> = { models: 'Model', types: 'Type', resources: 'Resource' };

export function createInstanceObjects(options: { node: string; rights: Rights }): InstanceObjects {
  return new ObjectsOfInstances(options);
}

class ObjectsOfInstances implements InstanceObjects {
  readonly #node: string;
  readonly #rights: Rights;

  constructor({ node, rights }: { node: string; rights: Rights }) {
    this.#node = node;
    this.#rights = rights;
  }

  async applyModel(as: Applying, { description }: { description?: string | undefined }): Promise<void> {
    await this.#put(as, 'models', as.instance, description === undefined ? {} : { description }, {});
  }

  async applyTypes(as: Applying, types: readonly TypeToWrite[], deleted: readonly string[] = []): Promise<WrittenTypes> {
    const { tx, instance } = as;
    const written: WrittenTypes = { created: [], changed: [], removed: [], code: [] };
    const specs = scopedTypes(types, instance);
    for (const [object, spec] of specs) {
      const did = await this.#put(as, 'types', object, spec, {});
      if (did !== undefined) written[did].push(bareType(spec.name ?? object));
    }
    const code = new Map<string, CodeRef>();
    const uses = (ref: CodeRef | undefined) => {
      if (ref !== undefined) code.set(`${ref.name} ${ref.version} ${ref.digest}`, ref);
    };
    for (const { module } of specs.values()) uses(module);
    const others = (await this.#found(as, 'types')).filter(({ name }) => !specs.has(name));
    const stay = await this.#needed(as, others, new Set(deleted.map((name) => resourceObjectName(instance, name))));
    for (const ref of others) {
      const object = await tx.get(ref);
      if (object === undefined) continue;
      if (stay.has(ref.name)) uses(await this.#setApart(as, object, types));
      else {
        await this.#remove(as, 'types', ref);
        written.removed.push(bareType(typeNameOf(object) ?? ref.name));
      }
    }
    return { ...written, code: [...code.values()] };
  }

  /** Keeps the code of a type that stays, under another name if the copy's name refers to newer code now. */
  async #setApart(as: Applying, object: ApiObject, types: readonly TypeToWrite[]): Promise<CodeRef | undefined> {
    const spec = typeSpecOf(object);
    const { module } = spec ?? {};
    if (spec === undefined || module === undefined) return undefined;
    const isOld = types.some(({ code }) => code.name === module.name && code.digest !== module.digest);
    if (!isOld) return module;
    const apart = { ...module, name: leftCode(module.name, module.version) };
    await this.#put(as, 'types', object.metadata.name, { ...spec, module: apart }, {});
    return apart;
  }

  async applyResources(
    as: Applying,
    resources: readonly ResourceToWrite[],
    deleted: readonly string[],
    leaving: readonly string[] = [],
  ): Promise<Written> {
    const names: string[] = [];
    for (const ref of await this.#found(as, 'types')) {
      const object = await as.tx.get(ref);
      const name = object === undefined ? undefined : typeNameOf(object);
      if (name !== undefined) names.push(bareType(name));
    }
    return this.#resources(as, { resources, deleted, leaving }, meaningOf(names, as.instance));
  }

  async apply(as: Applying, state: Parameters<InstanceObjects['apply']>[1]): ReturnType<InstanceObjects['apply']> {
    const { description, types, resources, deleted, leaving = [] } = state;
    await this.applyModel(as, { description });
    const means = meaningOf(
      types.map(({ name }) => name),
      as.instance,
    );
    // resources first: a type that has just lost its last resource can go
    const writtenResources = await this.#resources(as, { resources, deleted, leaving }, means);
    return { types: await this.applyTypes(as, types), resources: writtenResources };
  }

  async removeAll(as: Applying): Promise<void> {
    for (const plural of ['resources', 'types', 'models'] as const) {
      for (const ref of await this.#found(as, plural)) await this.#remove(as, plural, ref);
    }
  }

  async #resources(
    as: Applying,
    { resources, deleted, leaving }: { resources: readonly ResourceToWrite[]; deleted: readonly string[]; leaving: readonly string[] },
    means: Meaning,
  ): Promise<Written> {
    const written: Written = { created: [], changed: [], removed: [] };
    for (const resource of resources) {
      const object = resourceObjectName(as.instance, resource.name);
      const spec = resourceSpecFor(resource, as.instance, means);
      const did = await this.#put(as, 'resources', object, spec, { [COMPONENT_LABEL]: resource.component });
      if (did !== undefined) written[did].push(resource.name);
    }
    for (const name of leaving) await this.#leave(as, refIn(this.#node, 'resources', resourceObjectName(as.instance, name)));
    for (const name of deleted) {
      const ref = refIn(this.#node, 'resources', resourceObjectName(as.instance, name));
      if (await this.#remove(as, 'resources', ref)) written.removed.push(name);
    }
    return written;
  }

  /** Types out of `others` that must stay: resources are of them, or remaining types extend them. */
  async #needed({ tx }: Applying, others: readonly ObjectRef[], deleted: ReadonlySet<string>): Promise<Set<string>> {
    const stay = new Set<string>();
    const above = new Map<string, string[]>();
    for (const { name } of others) {
      const object = await tx.get(refIn(this.#node, 'types', name));
      const type = object === undefined ? undefined : typeNameOf(object);
      if (type === undefined) continue;
      const resources = await resourcesOfType(tx, this.#node, type, deleted.size + 1);
      if (resources.some((ref) => !deleted.has(ref.name))) stay.add(name);
      above.set(
        name,
        (await subtypesOf(tx, this.#node, type, MAX_OBJECTS)).map((ref) => ref.name),
      );
    }
    const leaving = new Set(others.map(({ name }) => name));
    for (let before = -1; before !== stay.size; ) {
      before = stay.size;
      for (const [name, subtypes] of above) if (subtypes.some((sub) => !leaving.has(sub) || stay.has(sub))) stay.add(name);
    }
    return stay;
  }

  /** The instance's objects of a kind. */
  #found({ tx, instance }: Applying, plural: Plural): Promise<ObjectRef[]> {
    const { group, namespace } = refIn(this.#node, plural, '');
    return tx.find({ group, plural, namespace, path: `metadata.labels.${INSTANCE_LABEL}`, value: instance, limit: MAX_OBJECTS });
  }

  /** Undefined if nothing differs. */
  async #put(
    as: Applying,
    plural: Plural,
    name: string,
    spec: object,
    labels: Record<string, string>,
  ): Promise<'created' | 'changed' | undefined> {
    const { tx, principal, instance } = as;
    const before = await tx.get(refIn(this.#node, plural, name));
    const wanted = { ...labels, [INSTANCE_LABEL]: instance };
    if (before === undefined) {
      const after = newObject(KINDS[plural], name, this.#node, principal, spec, wanted);
      await this.#assertMay(as, { plural, name, after });
      await tx.put(after);
      return 'created';
    }
    if (isForeign(before, instance)) {
      const { message, next } = takenText(plural, name, instance);
      throw new DtkdError('ALREADY_EXISTS', message, { next });
    }
    const { metadata } = before;
    const { [LEAVING_LABEL]: _leaving, ...kept } = metadata.labels ?? {};
    const all = { ...kept, ...wanted };
    const isSame = jsonEqual(before['spec'], spec);
    if (isSame && jsonEqual(all, metadata.labels)) return undefined;
    const after = { ...before, metadata: { ...metadata, generation: metadata.generation + (isSame ? 0 : 1), labels: all }, spec };
    await this.#assertMay(as, { plural, name, before, after });
    await tx.put(after);
    return 'changed';
  }

  async #leave(as: Applying, ref: ObjectRef): Promise<void> {
    const { tx } = as;
    const before = await tx.get(ref);
    if (before === undefined || before.metadata.labels?.[LEAVING_LABEL] !== undefined) return;
    const labels = { ...before.metadata.labels, [LEAVING_LABEL]: 'true' };
    const after = { ...before, metadata: { ...before.metadata, labels } };
    await this.#assertMay(as, { plural: 'resources', name: ref.name, before, after });
    await tx.put(after);
  }

  /** False if there is no such object. */
  async #remove(as: Applying, plural: Plural, ref: ObjectRef): Promise<boolean> {
    const { tx } = as;
    const before = await tx.get(ref);
    if (before === undefined) return false;
    await this.#assertMay(as, { plural, name: ref.name, before });
    return tx.delete(ref);
  }

  async #assertMay({ tx, principal, refused }: Applying, written: WrittenObject): Promise<void> {
    try {
      await this.#rights.assertMay(principal, written, tx);
    } catch (error) {
      if (refused === undefined || !(error instanceof DtkdError) || error.code !== 'FORBIDDEN') throw error;
      refused({ plural: written.plural, name: written.name, error });
    }
  }
}

function newObject(
  kind: string,
  name: string,
  node: string,
  principal: Principal,
  spec: object,
  labels: Record<string, string>,
): ApiObject {
  const annotations = principal.type === 'user' ? { annotations: { [CREATOR_ANNOTATION]: subjectText(principal) } } : {};
  return {
    apiVersion: `${DTKD_GROUP}/v1`,
    kind,
    metadata: { name, namespace: node, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '', labels, ...annotations },
    spec,
  };
}
