/** Converts dependencies and link definitions of DTK's components to links of types. */
import { type LinkRule, linkName } from '../../../protocol/definitions/type-rules.ts';
import { isRecord } from '../../json.ts';
import { readDescription } from './attributes.ts';
import { parseRef, partNameOf, propertyNameOf, typeNameOf } from './names.ts';
import { type Part, shown } from './part.ts';

const KNOWN = new Set(['attribute_mappings', 'required', 'description', 'component']);
const MAX_LINKS = 256;

export interface LinksOf {
  title: string;
  /** `server`, in the module `acme/mysql`. */
  component: string;
  module: string;
}

/** The name of a link to a component: `mysql::server` → `mysql-server`. */
export function linkNameOf(text: string): string | undefined {
  const name = partNameOf(...text.split('::'));
  return name !== undefined && linkName.safeParse(name).success ? name : undefined;
}

/** Converts `dependencies` to required links; `link_defs` and `component_links` say which values links take and give. */
export function readLinks(part: Part, owner: LinksOf): Record<string, LinkRule> {
  const links: Record<string, LinkRule> = {};
  for (const [name, said] of part.get('dependencies').named(`the dependencies of ${owner.title}`)) {
    addLink(links, name, said, owner, true);
  }
  for (const key of ['link_defs', 'component_links']) {
    for (const [name, said] of part.get(key).named(`${key} of ${owner.title}`)) addLink(links, name, said, owner, false);
  }
  return links;
}

function addLink(links: Record<string, LinkRule>, name: string, said: Part, owner: LinksOf, required: boolean): void {
  const what = `the link ${name} of ${owner.title}`;
  const link = linkNameOf(name);
  const to = isRecord(said.value) ? (said.get('component').text(`component of ${what}`) ?? name) : name;
  const ref = parseRef(to);
  const type = ref === undefined ? undefined : typeNameOf(ref.component, owner.module);
  if (link === undefined || type === undefined || Object.keys(links).length >= MAX_LINKS) {
    said.note(`${what} was left out: this is not a valid name for a link`);
    return;
  }
  const rule: LinkRule = Object.hasOwn(links, link) ? (links[link] ?? { type }) : { type };
  if (rule.type !== type) {
    said.note(`${what} was left out: a link leads to components of one type, and this one to those of ${rule.type}`);
    return;
  }
  links[link] = rule;
  if (required) rule.required = true;
  if (!said.isThere) return;
  if (Array.isArray(said.value)) {
    // some files have a list of mappings, or of several ways to link
    for (const item of said.items()) {
      if (typeof item.value === 'string') addMapping(rule, item, owner, what, to);
      else if (isRecord(item.value)) readBody(rule, item, owner, what, to);
      else item.fault(`${what} must be a mapping`);
    }
  } else if (isRecord(said.value)) readBody(rule, said, owner, what, to);
  else said.fault(`${what} must be a mapping`);
}

function readBody(rule: LinkRule, part: Part, owner: LinksOf, what: string, to: string): void {
  for (const [key, said] of part.entries(what)) if (!KNOWN.has(key)) said.note(`${key} of ${what} has no counterpart and was left out`);
  const description = readDescription(part);
  if (description !== undefined) rule.description = description;
  const required = part.get('required');
  if (required.isThere) {
    if (required.flag(`required of ${what}`)) rule.required = true;
    else delete rule.required;
  }
  for (const mapping of part.get('attribute_mappings').items()) addMapping(rule, mapping, owner, what, to);
}

/** `$port -> db_port`: the other end's port becomes our db_port. `users <- $user`: our user becomes the other end's users. */
function addMapping(rule: LinkRule, part: Part, owner: LinksOf, what: string, end: string): void {
  const text = textOf(part);
  if (text === undefined) {
    part.fault(`a mapping of ${what} must be a text such as "$port -> db_port"`);
    return;
  }
  const match = /^\s*(\S+)\s*(->|<-)\s*(\S+)\s*$/.exec(text);
  if (match === null) {
    part.note(`the mapping ${shown(text)} of ${what} was left out: it is neither "$a -> b" nor "a <- $b"`);
    return;
  }
  const [, left = '', arrow, right = ''] = match;
  const sides = { own: owner.component, other: end };
  const theirs = sideOf(left, sides) === 'own' ? right : left;
  const mine = theirs === left ? right : left;
  // the arrow points from the value to its destination
  const taken = (arrow === '->') === (theirs === left);
  const own = taken ? wholeNameOf(bare(mine, sides)) : valueNameOf(bare(mine, sides));
  const other = taken ? valueNameOf(bare(theirs, sides)) : wholeNameOf(bare(theirs, sides));
  if (own === undefined || other === undefined) {
    part.note(`the mapping ${shown(text)} of ${what} was left out: only whole attributes, and the address of the node, are linked here`);
    return;
  }
  const [to, from] = taken ? [own, other] : [other, own];
  const others = taken ? rule.take : rule.give;
  const before = others !== undefined && Object.hasOwn(others, to) ? others[to] : undefined;
  if (before !== undefined && before !== from) {
    part.note(`the mapping ${shown(text)} of ${what} was left out: ${to} gets ${before} already`);
    return;
  }
  if (taken) rule.take = { ...rule.take, [to]: from };
  else rule.give = { ...rule.give, [to]: from };
}

function textOf(part: Part): string | undefined {
  if (typeof part.value === 'string') return part.value;
  const entries = isRecord(part.value) ? Object.entries(part.value) : [];
  const [only] = entries;
  return entries.length === 1 && typeof only?.[1] === 'string' ? `${only[0]} -> ${only[1]}` : undefined;
}

interface Sides {
  own: string;
  other: string;
}

/** The end that an attribute belongs to, if a component before it says so. */
function sideOf(term: string, { own, other }: Sides): 'own' | 'other' | undefined {
  const prefix = prefixOf(term);
  if (prefix === undefined) return undefined;
  if (prefix === 'base' || prefix === own || prefix.endsWith(`::${own}`)) return 'own';
  return prefix === 'remote' || prefix === other ? 'other' : undefined;
}

function prefixOf(term: string): string | undefined {
  return /^\$?(?!node\.)([A-Za-z0-9_:-]+)\.[^.]+(\.[^.]+)?$/.exec(term)?.[1];
}

function bare(term: string, sides: Sides): string {
  const plain = term.replace(/^\$/, '');
  const prefix = prefixOf(term);
  return prefix !== undefined && sideOf(term, sides) !== undefined ? plain.slice(prefix.length + 1) : plain;
}

/** The source of a value: a property, or a fact about the node. */
function valueNameOf(name: string): string | undefined {
  if (/^node\.(host_address|host_addresses_ipv4|fqdn|address)$/.test(name)) return 'node.address';
  if (name.startsWith('node.')) return name === 'node.name' ? name : undefined;
  return wholeNameOf(name);
}

/** A property name; undefined with a dot, which leads into a value, since only whole values are linked. */
function wholeNameOf(name: string): string | undefined {
  return name.includes('.') ? undefined : propertyNameOf(name);
}
