/** Converts between modules and their objects. Pure. */
import type { CodeRef } from '../../../../protocol/definitions/code.ts';
import type { ModuleManifest } from '../../../../protocol/definitions/module.ts';
import { moduleObjectName, typeObjectName } from '../../../../protocol/definitions/names.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import { moduleSchema } from '../../../../protocol/kinds/module.ts';
import type { TypeSpec } from '../../../../protocol/kinds/type.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION, type Principal, subjectText } from '../../../../protocol/rights/principal.ts';
import type { SignedStatement } from './ports.ts';

export type ModuleCode = CodeRef & { version: string };

export type ModuleFields = ReturnType<typeof moduleSchema.parse>['spec'];

/** The spec of a Module object; undefined if it does not fit its schema. */
export function moduleFieldsOf(object: ApiObject): ModuleFields | undefined {
  return moduleSchema.safeParse(object).data?.spec;
}

export function moduleRef(node: string, name: string): ObjectRef {
  return { group: DTKD_GROUP, plural: 'modules', namespace: node, name };
}

/** The Release of a version has the name of its Module. */
export function releaseRef(node: string, name: string): ObjectRef {
  return { group: DTKD_GROUP, plural: 'releases', namespace: node, name };
}

/** The specs of a module's types, by object name. `spelled` says how to write a supertype. */
export function typeSpecs(
  manifest: ModuleManifest,
  { name, version, digest, publisher }: ModuleCode,
  spelled: (type: string) => string,
): Map<string, TypeSpec> {
  return new Map(
    Object.entries(manifest.types ?? {}).map(([typeName, { extends: supertype, ...type }]) => [
      typeObjectName(typeName),
      {
        name: typeName,
        ...(supertype === undefined ? {} : { extends: spelled(supertype) }),
        ...type,
        module: { name, version, digest, publisher },
      },
    ]),
  );
}

export interface ModuleFacts {
  manifest: ModuleManifest;
  code: ModuleCode;
  /** The publisher's name. */
  node: string;
  signed: SignedStatement;
  size: number;
  files: number;
  /** Whether its types are the node's. */
  active: boolean;
}

/** The spec of a Module object. */
export function moduleFields({ manifest, code, node, signed, size, files, active }: ModuleFacts): ModuleFields {
  const { description, license, dependencies } = manifest;
  const assemblies = Object.keys(manifest.assemblies ?? {}).sort();
  return {
    module: manifest.module,
    version: manifest.version,
    ...(description === undefined ? {} : { description }),
    ...(license === undefined ? {} : { license }),
    digest: code.digest,
    size,
    files,
    types: Object.keys(manifest.types ?? {}).sort(),
    active,
    ...(assemblies.length === 0 ? {} : { assemblies }),
    ...(dependencies === undefined ? {} : { dependencies }),
    publisher: { node, key: code.publisher },
    statement: Buffer.from(signed.statement).toString('base64'),
    signature: Buffer.from(signed.signature).toString('base64'),
  };
}

/** A new object of this node; the store fills in the rest. */
export function newObject(
  kind: 'Module' | 'Type' | 'Assembly' | 'Release',
  name: string,
  node: string,
  principal: Principal,
  spec: object,
): ApiObject {
  const annotations = principal.type === 'user' ? { annotations: { [CREATOR_ANNOTATION]: subjectText(principal) } } : {};
  return {
    apiVersion: `${DTKD_GROUP}/v1`,
    kind,
    metadata: { name, namespace: node, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '', ...annotations },
    spec,
  };
}

export function objectNameOf({ module, version }: Pick<ModuleManifest, 'module' | 'version'>): string {
  return moduleObjectName(module, version);
}
