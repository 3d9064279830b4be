/** The files of a new instance as text. Pure. The assembly is copied as its author wrote it, with comments. */
import type { Document, Pair } from 'yaml';
import type { Assembly } from '../../../../../protocol/definitions/assembly.ts';
import { type LockFile, SERVICE_FILE } from '../../../../../protocol/definitions/service-file.ts';
import { readYamlDocument } from '../../../../../protocol/modules/yaml.ts';
import type { Yaml } from '../files/positions.ts';

/** Fields that have another name in a service than in an assembly. */
const RENAMED: Readonly<Record<string, string>> = { parameters: 'parameter-rules', target: 'target-kind' };
/** Fields that come first, in this order. */
const FIRST = ['description', 'role', 'kind', 'target'];

export interface ServiceText {
  name: string;
  module: string;
  version: string;
  assemblyName: string;
  assembly: Assembly;
  target?: string | undefined;
  parameters: Readonly<Record<string, unknown>>;
  /** Text of the module's manifest. */
  manifest: string;
}

/** The text of `dtk.service.yaml`. */
export async function serviceText(options: ServiceText): Promise<string> {
  const { name, module, version, assemblyName, assembly, target, parameters } = options;
  const yaml = await import('yaml');
  const document = new yaml.Document({ dsl_version: '1.0', name, module, version, assembly: assemblyName });
  document.commentBefore = head(name, `${module}:${assemblyName} ${version}`);
  const map = document.contents;
  if (!yaml.isMap(map)) throw new Error('a map became something else');
  const pairs = (await writtenPairs(yaml, document, options)) ?? plainPairs(document, assembly);
  const add = (pair: Pair): void => {
    const key = keyOf(yaml, pair);
    const renamed = RENAMED[key];
    if (renamed !== undefined && yaml.isScalar(pair.key)) pair.key.value = renamed;
    map.items.push(pair);
  };
  for (const key of FIRST) for (const pair of pairs) if (keyOf(yaml, pair) === key) add(pair);
  const rest = pairs.filter((pair) => !FIRST.includes(keyOf(yaml, pair)) && !Object.values(RENAMED).includes(keyOf(yaml, pair)));
  if (target !== undefined) map.items.push(document.createPair('target', target));
  if (Object.keys(parameters).length > 0) map.items.push(spaced(yaml, document.createPair('parameters', parameters)));
  for (const pair of rest) add(spaced(yaml, pair));
  return document.toString({ lineWidth: 0 });
}

/** The text of `dtk.lock.yaml`. */
export async function lockText(lock: LockFile): Promise<string> {
  const yaml = await import('yaml');
  const document = new yaml.Document(lock);
  document.commentBefore = ` The modules that this service has copies of, as they were when they were copied. Written by dtkd.`;
  return document.toString({ lineWidth: 0 });
}

function head(name: string, from: string): string {
  return [
    ` The service ${name}, staged from ${from}. This file says how it should be.`,
    ' Edit it, and the copies of modules below modules/, or use "dtkd service set"; then run',
    ' ',
    `     dtkd service diff ${name}     # what was changed`,
    `     dtkd converge ${name}         # make it so`,
    ' ',
    ' Properties of type secret have the name of a Secret of the node, never the secret itself.',
  ].join('\n');
}

/** The assembly's own lines, if the manifest spells them out. Undefined if they contain aliases or tags, which would be lost. */
async function writtenPairs(yaml: Yaml, to: Document, { manifest, assemblyName }: ServiceText): Promise<Pair[] | undefined> {
  const { document } = await readYamlDocument(manifest, SERVICE_FILE);
  const node = document.getIn(['assemblies', assemblyName], true);
  if (!yaml.isMap(node) || node.flow === true) return undefined;
  let elsewhere = false;
  yaml.visit(node, {
    Alias: () => {
      elsewhere = true;
    },
    Node: (_key, one) => {
      if (one.tag !== undefined && !one.tag.startsWith('tag:yaml.org,2002:')) elsewhere = true;
    },
  });
  if (elsewhere) return undefined;
  const copy = node.clone(to.schema);
  return yaml.isMap(copy) ? copy.items.filter((pair) => keyOf(yaml, pair) !== '<<') : undefined;
}

function plainPairs(document: Document, assembly: Assembly): Pair[] {
  return Object.entries(assembly)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => document.createPair(key, value));
}

function keyOf(yaml: Yaml, { key }: Pair): string {
  return String(yaml.isScalar(key) ? key.value : key);
}

function spaced(yaml: Yaml, pair: Pair): Pair {
  if (yaml.isNode(pair.key)) pair.key.spaceBefore = true;
  return pair;
}
