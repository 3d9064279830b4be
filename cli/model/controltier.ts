/**
 * Reads ControlTier's project XML: nodes, settings, packages and deployments, each with its `resources` (children) and `referrers`
 * (parents).
 */
import { DtkdError } from '../../protocol/errors.ts';
import { type Draft, DraftBuilder, type DraftRef, HOST, type ResourceDraft } from './draft.ts';
import { parseXml, type XmlElement } from './xml.ts';

/** Elements that are resources, and their built-in types. */
const BASES: ReadonlyMap<string, string> = new Map([
  ['node', HOST],
  ['setting', 'Setting'],
  ['package', 'Package'],
  ['deployment', 'Service'],
]);
/** Built-in types, which a file need not declare. */
const BUILT_IN: ReadonlySet<string> = new Set(['host', 'service', 'site', 'package', 'setting']);
/** Attributes that are not imported: credentials belong in Secrets. */
const SECRET_ATTRIBUTES: ReadonlySet<string> = new Set(['ctlpassword', 'password']);
/** Attributes that do not become properties. */
const STRUCTURAL: ReadonlySet<string> = new Set(['name', 'type', 'description', 'tags']);
/** ControlTier's names for properties of built-in types. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['settingValue', 'value'],
  ['settingType', 'kind'],
  ['startuprank', 'startup-rank'],
  ['installRank', 'install-rank'],
  ['installrank', 'install-rank'],
  ['installRoot', 'install-root'],
]);
/** Integer properties of built-in types; in XML everything is text. */
const NUMBERS: ReadonlySet<string> = new Set(['startup-rank', 'install-rank', 'port']);

/** Errors: BAD_REQUEST with the line. */
export async function readControlTier(text: string, source: string): Promise<Draft> {
  const root = await parseXml(text, source);
  if (root.name !== 'project') throw wrong(source, root, `the root element is <${root.name}>, not <project>`);
  const builder = new DraftBuilder();
  const declared: { element: XmlElement; draft: ResourceDraft }[] = [];
  for (const element of root.children) {
    const base = BASES.get(element.name);
    if (base === undefined) {
      builder.note(`<${element.name}> is not a resource and was left out`, element.line);
      continue;
    }
    declared.push({ element, draft: readResource(builder, element, base, source) });
  }
  for (const { element, draft } of declared) readRelations(builder, element, draft, source);
  return builder.build('ControlTier project XML');
}

function readResource(builder: DraftBuilder, element: XmlElement, base: string, source: string): ResourceDraft {
  const ref = refOf(element, source, base);
  if (builder.find(ref) !== undefined) throw wrong(source, element, `${ref.type} "${ref.name}" is here a second time`);
  if (!BUILT_IN.has(ref.type.toLowerCase())) builder.type({ name: ref.type, extends: base, line: element.line });
  const draft = builder.resource(ref, element.line);
  const { description, tags } = element.attributes;
  if (description !== undefined && description !== '') draft.description = description;
  if (tags !== undefined)
    draft.tags = tags
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== '');
  for (const [name, value] of Object.entries(element.attributes)) {
    if (STRUCTURAL.has(name)) continue;
    if (SECRET_ATTRIBUTES.has(name.toLowerCase()))
      builder.note(`${name} of ${ref.type} "${ref.name}" is a credential and was not kept`, element.line);
    else if (value !== '') {
      const property = RENAMED.get(name) ?? name;
      builder.property(draft, property, NUMBERS.has(property) && /^\d{1,9}$/.test(value) ? Number(value) : value, element.line);
    }
  }
  return draft;
}

function readRelations(builder: DraftBuilder, element: XmlElement, draft: ResourceDraft, source: string): void {
  for (const list of element.children) {
    if (list.name !== 'resources' && list.name !== 'referrers') {
      builder.note(`<${list.name}> in ${draft.type} "${draft.name}" has no counterpart and was left out`, list.line);
      continue;
    }
    if (list.name === 'referrers' && list.attributes['replace'] === 'true') draft.replaceParents = true;
    for (const item of list.children) {
      if (item.name !== 'resource') {
        builder.note(`<${item.name}> in <${list.name}> is not a relationship and was left out`, item.line);
        continue;
      }
      const other = builder.find(refOf(item, source));
      if (other === undefined) {
        throw wrong(
          source,
          item,
          `there is no ${item.attributes['type']} "${item.attributes['name']}" in this file`,
          'Add it, or remove the relationship.',
        );
      }
      if (list.name === 'resources') builder.relate(other, draft);
      else builder.relate(draft, other);
    }
  }
}

/** The type and name of an element. A node is a Host, whatever its type attribute says. */
function refOf(element: XmlElement, source: string, base?: string): DraftRef {
  const { name, type } = element.attributes;
  if (name === undefined || name === '') throw wrong(source, element, `<${element.name}> has no name`);
  if (base === HOST || type === 'Node') return { type: HOST, name };
  if (type === undefined || type === '') throw wrong(source, element, `<${element.name} name="${name}"> has no type`);
  return { type, name };
}

function wrong(source: string, { line }: XmlElement, why: string, next?: string): DtkdError {
  return new DtkdError('BAD_REQUEST', `${source}:${line}: ${why}`, next === undefined ? {} : { next });
}
