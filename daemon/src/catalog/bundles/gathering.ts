/**
 * Gathers what other nodes must know about a resource of this node: the resource, its children at any depth, its parents, all of their
 * types and who signed these. Reads the durable state with the owner's view, and writes nothing.
 */
import { type CodeRef, inlineCode } from '../../../../protocol/definitions/code.ts';
import type { SignedModule } from '../../../../protocol/definitions/module.ts';
import { instanceOfCode } from '../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { nodeStatus } from '../../../../protocol/kinds/node.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { type Bundle, type BundledResource, MAX_BUNDLED_RESOURCES } from '../../../../protocol/orders/bundle.ts';
import { effectiveValues } from '../model/effective/effective-resource.ts';
import { nodeParents, nodeRef, type Reads, refIn, resourceNameOf, resourceParents, resourceSpecOf, typeKey } from '../model/objects.ts';
import type { NamedType } from '../model/resolved-type.ts';
import type { Rights } from '../model/rights.ts';
import { childrenOf } from '../model/rules/dependents.ts';
import type { TypeBook } from '../model/type-book.ts';

export interface GatheringOptions {
  reads: Reads;
  book: TypeBook;
  rights: Rights;
  node: string;
  /** This node's public signing key. */
  publisher: string;
  /** The publisher's signature of a module, or of an instance's copy; undefined if it is no longer here. */
  signature(code: CodeRef & { version: string }): Promise<SignedModule | undefined>;
}

/**
 * The bundle of a resource, ready to be signed. Errors: NOT_FOUND; TOO_LARGE with too many relatives; CONTENT_MISSING if a module's
 * signature is gone.
 */
export async function gatherBundle(options: GatheringOptions, name: string, revision: number): Promise<Bundle> {
  const { reads, node, publisher } = options;
  const first = await reads.get(refIn(node, 'resources', name));
  if (first === undefined || resourceSpecOf(first) === undefined) throw notFound(name);
  const family = await familyOf(options, first);
  const keys = new NodeKeys(options);
  const resources: BundledResource[] = [];
  for (const { object, children } of family) resources.push(await bundled(options, keys, object, children));
  const types = new Map<string, Bundle['types'][string]>();
  for (const { type } of resources) await addTypes(options, types, type);
  return {
    version: 1,
    owner: publisher,
    ownerName: node,
    revision,
    resources,
    types: Object.fromEntries(types),
    modules: await signaturesFor(options, types.values()),
  };
}

interface Relative {
  object: ApiObject;
  children: string[];
}

/** The resource itself, then its children at any depth, then its parents. */
async function familyOf({ reads, node }: GatheringOptions, first: ApiObject): Promise<Relative[]> {
  const family = new Map<string, Relative>([[first.metadata.name, { object: first, children: [] }]]);
  const add = (object: ApiObject): void => {
    if (family.has(object.metadata.name)) return;
    if (family.size >= MAX_BUNDLED_RESOURCES) throw tooMany(first.metadata.name);
    family.set(object.metadata.name, { object, children: [] });
  };
  // iterating a Map includes entries added meanwhile
  for (const relative of family.values()) {
    const refs = await childrenOf(reads, node, relative.object.metadata.name, MAX_BUNDLED_RESOURCES + 1);
    const children = await Promise.all(refs.map((ref) => reads.get(ref)));
    for (const child of children) {
      if (child === undefined || resourceSpecOf(child) === undefined) continue;
      relative.children.push(child.metadata.name);
      add(child);
    }
  }
  const own = new Set(family.keys());
  const spec = resourceSpecOf(first);
  for (const name of spec === undefined ? [] : resourceParents(spec)) {
    const parent = own.has(name) ? undefined : await reads.get(refIn(node, 'resources', name));
    if (parent === undefined || resourceSpecOf(parent) === undefined) continue;
    add(parent);
    // the parent's other children are left out: they do not concern this resource, and may be many
    family.get(name)?.children.push(first.metadata.name);
  }
  return [...family.values()];
}

async function bundled(options: GatheringOptions, keys: NodeKeys, object: ApiObject, children: string[]): Promise<BundledResource> {
  const spec = resourceSpecOf(object);
  if (spec === undefined) throw notFound(object.metadata.name);
  const deployments: BundledResource['deployments'] = [];
  for (const node of nodeParents(spec)) {
    const signingKey = await keys.of(node);
    deployments.push({ node, ...(signingKey === undefined ? {} : { signingKey }) });
  }
  return {
    object: object.metadata.name,
    uid: object.metadata.uid,
    model: spec.model,
    type: spec.type,
    name: resourceNameOf(object, spec),
    labels: object.metadata.labels ?? {},
    properties: await effectiveValues(options, object),
    parents: resourceParents(spec),
    children,
    deployments,
  };
}

/** Signing keys of nodes; looks up each one once. */
class NodeKeys {
  readonly #options: GatheringOptions;
  readonly #known = new Map<string, string | undefined>();

  constructor(options: GatheringOptions) {
    this.#options = options;
  }

  async of(node: string): Promise<string | undefined> {
    if (node === this.#options.node) return this.#options.publisher;
    if (!this.#known.has(node)) {
      const object = await this.#options.reads.get(nodeRef(node));
      this.#known.set(node, nodeStatus.safeParse(object?.['status']).data?.signingKey);
    }
    return this.#known.get(node);
  }
}

/** Adds a type and all types that it extends. */
async function addTypes(
  { reads, book, publisher }: GatheringOptions,
  types: Map<string, Bundle['types'][string]>,
  name: string,
): Promise<void> {
  if (types.has(typeKey(name))) return;
  const chain = await book.chain(reads, name);
  if ('fault' in chain)
    throw new DtkdError('CONFLICT', `the type "${name}" is not consistent`, { next: `See "dtkd describe type ${name}".` });
  for (const type of chain) types.set(typeKey(type.name), bundledType(type, publisher));
}

/** Pure. Leaves out the commands of a module's type: they are in the module, as its publisher signed them. */
export function bundledType({ name, spec }: NamedType, publisher: string): Bundle['types'][string] {
  const { extends: supertype, commands = {}, module, templates, properties = {} } = spec;
  const inline = module === undefined && Object.keys(commands).length > 0;
  const code: CodeRef | undefined = inline ? inlineCode(name, commands, publisher) : module;
  const secrets = Object.entries(properties).flatMap(([property, { type }]) => (type === 'secret' ? [property] : []));
  return {
    name,
    ...(supertype === undefined ? {} : { extends: supertype }),
    ...(code === undefined ? {} : { code }),
    ...(inline ? { commands } : {}),
    ...(module === undefined || templates === undefined ? {} : { templates }),
    ...(secrets.length === 0 ? {} : { secrets }),
  };
}

/** One signature for each name, version and digest: an archive may be a module as well as the copies that several instances have of it. */
async function signaturesFor({ signature }: GatheringOptions, types: Iterable<Bundle['types'][string]>): Promise<SignedModule[]> {
  const codes = new Map<string, CodeRef & { version: string }>();
  for (const { code, commands } of types) {
    if (code === undefined || commands !== undefined) continue;
    const { version = '' } = code;
    codes.set(`${code.name} ${version} ${code.digest}`, { ...code, version });
  }
  const signatures: SignedModule[] = [];
  for (const code of codes.values()) {
    const signed = await signature(code);
    if (signed === undefined) throw notHere(code.name);
    signatures.push(signed);
  }
  return signatures;
}

function notHere(name: string): DtkdError {
  const instance = instanceOfCode(name);
  return new DtkdError('CONTENT_MISSING', `module ${name} is no longer installed here`, {
    next: instance === undefined ? 'Install it again.' : `Converge the service again: dtkd converge ${instance}.`,
  });
}

function notFound(name: string): DtkdError {
  return new DtkdError('NOT_FOUND', `resources "${name.slice(0, 253)}" not found`);
}

function tooMany(name: string): DtkdError {
  return new DtkdError('TOO_LARGE', `resource "${name}" has more than ${MAX_BUNDLED_RESOURCES - 1} children and parents`, {
    next: 'Put some of them below another resource, and run the command of that resource.',
  });
}
