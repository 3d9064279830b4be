/** Converts a module of DTK to one of dtkd. Pure but for the YAML library: the same files always give the same result. */
import type { Assembly } from '../../../protocol/definitions/assembly.ts';
import { MANIFEST_FILE, type ModuleManifest, type ModuleType } from '../../../protocol/definitions/module.ts';
import { mayNarrow } from '../../../protocol/definitions/property-rule.ts';
import { typeOfRule } from '../../../protocol/definitions/property-value.ts';
import type { PropertyRule } from '../../../protocol/definitions/type-rules.ts';
import { BUILTIN_TYPES } from '../../../protocol/modules/builtin-types.ts';
import { MAX_MODULE_TYPES } from '../../../protocol/modules/check.ts';
import type { Note } from '../../model/draft.ts';
import { type Files, readActions } from './actions.ts';
import { type AssemblyOf, readAssembly } from './assemblies.ts';
import { readAttributes, readDescription, valueFor } from './attributes.ts';
import { readLinks } from './links.ts';
import { moduleNameOf, partNameOf, rangeOf, typeNameOf, unique, versionOf } from './names.ts';
import { Findings, type Part, readPart, shown, unreadable } from './part.ts';

const KNOWN = new Set([
  'dsl_version',
  'module',
  'version',
  'description',
  'license',
  'dependencies',
  'dependent_modules',
  'component_defs',
  'assemblies',
]);
/** The properties that every component has here. */
const SERVICE = new Map(Object.entries(BUILTIN_TYPES.find(({ name }) => name === 'Service')?.properties ?? {}));

const COMPONENT_KEYS = new Set(['description', 'attributes', 'actions', 'dependencies', 'link_defs', 'component_links']);
/** The version of a module that states none. */
const FIRST_VERSION = '0.1.0';
const MAX_LICENSE = 128;

export interface Converted {
  manifest: ModuleManifest;
  /** The text of the manifest and the scripts, by their paths. */
  files: Files;
  notes: Note[];
}

/** Errors: BAD_REQUEST with all faults and their places; INVALID if the text is not YAML. */
export async function convertDtk(text: string, source: string, present: ReadonlySet<string>): Promise<Converted> {
  const findings = new Findings();
  const root = await readPart(text, source, findings);
  const manifest = readModule(root);
  const files: Files = new Map();
  if (manifest !== undefined) {
    const hasDependencies = manifest.dependencies !== undefined;
    const types = readTypes(root.get('component_defs'), manifest.module, files, present);
    if (!hasDependencies) dropForeignLinks(types, root);
    keepWhatIsLinked(types);
    if (types.size > 0) manifest.types = Object.fromEntries(types);
    const assemblies = readAssemblies(root.get('assemblies'), { module: manifest.module, types, hasDependencies });
    if (Object.keys(assemblies).length > 0) manifest.assemblies = assemblies;
  }
  if (findings.faults.length > 0 || manifest === undefined) throw unreadable(findings.faults);
  files.set(MANIFEST_FILE, { text: await manifestText(manifest), executable: false });
  return { manifest, files, notes: findings.notes };
}

function readModule(root: Part): ModuleManifest | undefined {
  if (typeof root.value !== 'object' || root.value === null || Array.isArray(root.value)) {
    root.fault('a module of DTK is a mapping with module, component_defs and assemblies');
    return undefined;
  }
  for (const [key, said] of root.entries('the module')) if (!KNOWN.has(key)) said.note(`${key} has no counterpart and was left out`);
  const written = root.get('dsl_version').written;
  if (written !== undefined && written !== '' && !/^["']?[v~]?1(\.|["']?$)/.test(written)) {
    root.get('dsl_version').fault(`dsl_version ${shown(written)} is not known: files of version 1 are read`);
  }
  const said = root.get('module').text('the name of the module');
  const name = said === undefined ? undefined : moduleNameOf(said);
  if (name === undefined) {
    root
      .get('module')
      .fault(said === undefined ? 'it has no module: NAMESPACE/NAME' : `${shown(said)} is not the name of a module, such as acme/web`);
    return undefined;
  }
  if (name !== said?.trim()) root.get('module').note(`the module ${shown(said)} is called ${name} here`);
  const description = readDescription(root);
  const license = readLicense(root.get('license'));
  const dependencies = readDependencies(root);
  return {
    dsl_version: '1.0',
    module: name,
    version: readVersion(root.get('version')),
    ...(description === undefined ? {} : { description }),
    ...(license === undefined || license === '' ? {} : { license }),
    ...(Object.keys(dependencies).length === 0 ? {} : { dependencies }),
  };
}

function readLicense(part: Part): string | undefined {
  const text = part.text('the license')?.trim();
  if (text === undefined || text.length <= MAX_LICENSE) return text;
  part.note(`the license was cut to ${MAX_LICENSE} characters: put its text into a file of the module`);
  return text.slice(0, MAX_LICENSE);
}

function readVersion(part: Part): string {
  const text = part.written?.replace(/^["']|["']$/g, '');
  const version = text === undefined ? undefined : versionOf(text);
  if (version === undefined)
    part.note(`${text === undefined ? 'it has no version' : `the version ${shown(text)} is not a number`}: it becomes ${FIRST_VERSION}`);
  return version ?? FIRST_VERSION;
}

function readDependencies(root: Part): Record<string, string> {
  const dependencies: Record<string, string> = {};
  for (const key of ['dependencies', 'dependent_modules']) {
    for (const [text, said] of root.get(key).named('the dependencies of the module')) {
      const name = moduleNameOf(text);
      if (name === undefined) said.note(`the dependency ${shown(text)} was left out: this is not a valid name for a module`);
      else if (name.startsWith('dtk-provider/') || name === 'dtk-stdlib/dtk-stdlib')
        said.note(`the dependency ${text} was left out: it is a part of DTK itself`);
      else dependencies[name] = readRange(said, text);
    }
  }
  return dependencies;
}

function readRange(part: Part, name: string): string {
  const said = typeof part.value === 'object' && part.value !== null ? part.get('version') : part;
  // a plain name in a list states no version
  const text = said.isThere ? said.written?.replace(/^["']|["']$/g, '') : undefined;
  const range = text === undefined ? undefined : rangeOf(text);
  if (range === undefined)
    part.note(`any version of ${name} will do: ${text === undefined ? 'none is named' : `${shown(text)} is not a number`}`);
  return range ?? '*';
}

function readTypes(part: Part, module: string, files: Files, present: ReadonlySet<string>): Map<string, ModuleType> {
  const types = new Map<string, ModuleType>();
  for (const [name, said] of part.entries('component_defs')) {
    const title = `component ${name}`;
    const type = typeNameOf(name, module);
    if (type === undefined) said.note(`${title} was left out: this is not a valid name for a type`);
    else if ([...types.keys()].some((one) => one.toLowerCase().replace(/[^a-z0-9]/g, '') === type.toLowerCase().replace(/[^a-z0-9]/g, '')))
      said.fault(`${title} becomes the type ${type}, which another component is already`);
    else if (types.size >= MAX_MODULE_TYPES) said.fault(`a module has at most ${MAX_MODULE_TYPES} types`);
    else types.set(type, readType(said, { name, title, module, files, present }));
  }
  return types;
}

function readType(
  part: Part,
  { name, title, module, files, present }: { name: string; title: string; module: string; files: Files; present: ReadonlySet<string> },
): ModuleType {
  if (part.isThere && (typeof part.value !== 'object' || Array.isArray(part.value))) part.fault(`${title} must be a mapping`);
  else
    for (const [key, said] of part.entries(title))
      if (!COMPONENT_KEYS.has(key)) said.note(`${key} of ${title} has no counterpart and was left out`);
  const description = readDescription(part);
  const properties = readAttributes(part.get('attributes'), title);
  for (const [property, rule] of Object.entries(properties)) asService(property, rule, part.get('attributes').get(property), title);
  const links = readLinks(part, { title, component: name, module });
  const commands = readActions(part.get('actions'), { title, component: name, rules: properties, present }, files);
  return {
    extends: 'Service',
    ...(description === undefined ? {} : { description }),
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(Object.keys(links).length === 0 ? {} : { links }),
    ...(Object.keys(commands).length === 0 ? {} : { commands }),
  };
}

/** Gives an attribute that every Service has the type that it has there. */
function asService(property: string, rule: PropertyRule, said: Part, title: string): void {
  const inherited = SERVICE.get(property);
  if (inherited === undefined || mayNarrow(typeOfRule(inherited), typeOfRule(rule))) return;
  const { default: before } = rule;
  rule.type = typeOfRule(inherited);
  delete rule.allowed;
  delete rule.default;
  const value = before === undefined ? undefined : valueFor(rule.type, before);
  if (value !== undefined) rule.default = value;
  const lost = before === undefined || value !== undefined ? '' : ', and its default was left out';
  said.note(`${property} of ${title} is of the type ${rule.type} here, as of every Service${lost}`);
}

/** Drops links to types that do not exist: the module has no dependencies that could provide them. */
function dropForeignLinks(types: ReadonlyMap<string, ModuleType>, root: Part): void {
  for (const [name, type] of types) {
    for (const [link, rule] of Object.entries(type.links ?? {})) {
      if (rule.type === undefined || types.has(rule.type)) continue;
      root
        .get('component_defs')
        .note(`the link ${link} of type ${name} was left out: the module neither has ${rule.type} nor depends on a module that could`);
      delete type.links?.[link];
    }
    if (type.links !== undefined && Object.keys(type.links).length === 0) delete type.links;
  }
}

/**
 * Removes `dynamic` from properties that get their value through a link. DTK marks them so; here only properties are dynamic to which
 * nobody gives a value.
 */
function keepWhatIsLinked(types: ReadonlyMap<string, ModuleType>): void {
  for (const type of types.values()) {
    for (const { type: end, take = {}, give = {} } of Object.values(type.links ?? {})) {
      for (const property of Object.keys(take)) delete type.properties?.[property]?.dynamic;
      for (const property of Object.keys(give)) delete types.get(end ?? '')?.properties?.[property]?.dynamic;
    }
  }
}

function readAssemblies(part: Part, owner: Omit<AssemblyOf, 'title'>): Record<string, Assembly> {
  const assemblies = new Map<string, Assembly>();
  for (const [name, said] of part.entries('assemblies')) {
    const wanted = partNameOf(name);
    if (wanted === undefined) said.note(`assembly ${shown(name)} was left out: this is not a valid name`);
    else if (said.isThere && (typeof said.value !== 'object' || Array.isArray(said.value)))
      said.fault(`assembly ${name} must be a mapping`);
    else assemblies.set(unique(wanted, assemblies), readAssembly(said, { ...owner, title: name }));
  }
  return Object.fromEntries(assemblies);
}

async function manifestText(manifest: ModuleManifest): Promise<string> {
  const { stringify } = await import('yaml');
  return `# Made by dtkd module import-dtk from a module of DTK.\n${stringify(manifest, { aliasDuplicateObjects: false, lineWidth: 140 })}`;
}
