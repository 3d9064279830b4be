/** Maps what an instance's files say, with bare names of types, to its objects. Pure. */
import { scopedType, typeObjectNameOf } from '../../../../../protocol/definitions/scoped-names.ts';
import type { LinkRule, RelationRule } from '../../../../../protocol/definitions/type-rules.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { ResourceSpec } from '../../../../../protocol/kinds/resource.ts';
import type { TypeSpec } from '../../../../../protocol/kinds/type.ts';
import { BUILTIN_TYPES } from '../../../../../protocol/modules/builtin-types.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import { NODE_PARENT, NODE_TYPE, typeKey } from '../../model/objects.ts';
import type { ResourceToWrite, TypeToWrite } from './apply.types.ts';

/** Resolves a bare type name: the instance's own type, spelled as there, otherwise a built-in one. Undefined: neither. */
export type Meaning = (bare: string) => string | undefined;

const BUILTIN = new Map([NODE_TYPE, ...BUILTIN_TYPES.map(({ name }) => name)].map((name) => [typeKey(name), name]));

/** `own`: bare names of the instance's types. */
export function meaningOf(own: Iterable<string>, instance: string): Meaning {
  const names = new Map([...own].map((name) => [typeKey(name), scopedType(name, instance)]));
  return (bare) => names.get(typeKey(bare)) ?? BUILTIN.get(typeKey(bare));
}

/**
 * The specs of an instance's types, by object name. Errors: ALREADY_EXISTS if two copies define one name; INVALID for a type that
 * extends one which is neither the instance's nor built in: an instance does not use types of other modules on the node.
 */
export function scopedTypes(types: readonly TypeToWrite[], instance: string): Map<string, TypeSpec> {
  const means = meaningOf(
    types.map(({ name }) => name),
    instance,
  );
  const specs = new Map<string, TypeSpec>();
  for (const one of types) {
    const name = scopedType(one.name, instance);
    const object = typeObjectNameOf(name);
    const other = specs.get(object);
    if (other !== undefined) {
      throw new DtkdError('ALREADY_EXISTS', `${one.code.name} and ${other.module?.name} both define the type "${one.name}"`, {
        next: 'Leave one of these modules out, or rename the type in one of them.',
      });
    }
    specs.set(object, typeSpecOf(one, name, instance, means));
  }
  return specs;
}

function typeSpecOf({ name: bare, type, code }: TypeToWrite, name: string, instance: string, means: Meaning): TypeSpec {
  const { extends: supertype, children, parents, links, ...kept } = type;
  const related = (rules: readonly RelationRule[]) => rules.map((rule) => ({ ...rule, type: means(rule.type) ?? rule.type }));
  const linked = (rule: LinkRule): LinkRule => (rule.type === undefined ? rule : { ...rule, type: means(rule.type) ?? rule.type });
  return {
    name,
    ...(supertype === undefined ? {} : { extends: means(supertype) ?? unknown(supertype, bare, instance) }),
    ...kept,
    ...(children === undefined ? {} : { children: related(children) }),
    ...(parents === undefined ? {} : { parents: related(parents) }),
    ...(links === undefined ? {} : { links: Object.fromEntries(Object.entries(links).map(([link, rule]) => [link, linked(rule)])) }),
    module: { name: code.name, version: code.version, digest: code.digest, publisher: code.publisher },
    instance,
  };
}

/** The object name of an instance's resource. */
export function resourceObjectName(instance: string, name: string): string {
  return `${instance}.${name}`;
}

/** Errors: INVALID for a type that is neither the instance's nor built in. */
export function resourceSpecFor(resource: ResourceToWrite, instance: string, means: Meaning): ResourceSpec {
  const { name, component, type, node, properties, parents, description } = resource;
  return {
    model: instance,
    type: means(type) ?? unknown(type, component, instance),
    name,
    ...(description === undefined ? {} : { description }),
    properties: { ...properties },
    parents: [`${NODE_PARENT}${node}`, ...parents.map((parent) => resourceObjectName(instance, parent))],
  };
}

function unknown(type: string, of: string, instance: string): never {
  const near = nearMiss(
    type,
    BUILTIN_TYPES.map(({ name }) => name),
  );
  throw new DtkdError('INVALID', `"${of}" of service "${instance}" is of the type "${type}", which none of its modules has`, {
    next: `${near === undefined ? '' : `Did you mean "${near}"? `}Types come from the modules of the service itself, or are built in.`,
  });
}
