/** Differences between two states of a service, by kind. Pure, except that it looks up which values are secrets, to leave them out. */
import type { Component } from '../../../../../protocol/definitions/assembly.ts';
import { typeOfRule } from '../../../../../protocol/definitions/property-value.ts';
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import type { PropertyRule } from '../../../../../protocol/definitions/type-rules.ts';
import { jsonEqual } from '../../../../../protocol/encoding/json.ts';
import type { Difference, ModuleCopy, ServiceFiles } from '../instances.types.ts';
import { hiddenPaths } from './rules.ts';

type Side = Pick<ServiceFiles, 'service' | 'copies'>;
type Kind = Difference['kind'];

const PLAIN = ['name', 'module', 'version', 'assembly', 'description', 'role', 'kind', 'target', 'target-kind'] as const;
const COMPONENT_FIELDS = ['description', 'after', 'parents'] as const;

/** Ordered by kind, then by name. Values that are secret on either side are left out. */
export async function serviceDifferences(before: Side, after: Side): Promise<Difference[]> {
  const secrets = new Set([...(await hiddenPaths(before)), ...(await hiddenPaths(after))].map((path) => path.join('\0')));
  const found = new Found(secrets);
  const [a, b] = [before.service, after.service];
  for (const field of PLAIN) found.compare('service', field, a[field], b[field]);
  found.record('parameter', a.parameters, b.parameters, { path: ['parameters'] });
  rules(found, a, b);
  components(found, a, b);
  found.record('app', a.apps, b.apps);
  found.record('offer', a.offers, b.offers);
  found.record('workflow', a.workflows, b.workflows);
  modules(found, before.copies, after.copies);
  return found.differences;
}

class Found {
  readonly differences: Difference[] = [];
  readonly #secrets: ReadonlySet<string>;

  constructor(secrets: ReadonlySet<string>) {
    this.#secrets = secrets;
  }

  compare(kind: Kind, what: string, before: unknown, after: unknown, path: readonly string[] = []): void {
    if (before === undefined ? after === undefined : jsonEqual(before, after)) return;
    const op = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
    if (this.#secrets.has(path.join('\0'))) {
      this.differences.push({ kind, what, op });
      return;
    }
    this.differences.push({ kind, what, op, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) });
  }

  record(
    kind: Kind,
    before: Readonly<Record<string, unknown>> | undefined,
    after: Readonly<Record<string, unknown>> | undefined,
    { prefix = '', path }: { prefix?: string; path?: readonly string[] } = {},
  ): void {
    for (const name of namesOf(before, after)) {
      this.compare(kind, `${prefix}${name}`, own(before, name), own(after, name), path === undefined ? [] : [...path, name]);
    }
  }
}

function rules(found: Found, a: ServiceFile, b: ServiceFile): void {
  const shown = (service: ServiceFile) =>
    Object.fromEntries(Object.entries(service['parameter-rules'] ?? {}).map(([name, rule]) => [name, withoutSecret(rule)]));
  found.record('parameter', shown(a), shown(b), { prefix: 'parameter-rules.' });
}

function withoutSecret(rule: PropertyRule): Partial<PropertyRule> {
  if (typeOfRule(rule) !== 'secret') return rule;
  const { default: _default, ...rest } = rule;
  return rest;
}

function components(found: Found, a: ServiceFile, b: ServiceFile): void {
  for (const name of namesOf(a.components, b.components)) {
    const before: Partial<Component> | undefined = own(a.components, name);
    const after: Partial<Component> | undefined = own(b.components, name);
    if (before === undefined || after === undefined) found.compare('component', name, before?.type, after?.type);
    else found.compare('type', name, before.type, after.type);
    for (const field of COMPONENT_FIELDS) found.compare('component', `${name}.${field}`, before?.[field], after?.[field]);
    found.compare('placement', name, before?.on, after?.on);
    const path = ['components', name, 'properties'];
    found.record('property', before?.properties, after?.properties, { prefix: `${name}.`, path });
    found.record('link', before?.links, after?.links, { prefix: `${name}.` });
  }
}

function modules(found: Found, before: ReadonlyMap<string, ModuleCopy>, after: ReadonlyMap<string, ModuleCopy>): void {
  for (const name of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const [a, b] = [before.get(name), after.get(name)];
    if (a?.digest === b?.digest) continue;
    // with digests where both versions are the same
    const shown = (copy: ModuleCopy | undefined) =>
      copy === undefined ? undefined : a?.version === b?.version ? `${copy.version} (${copy.digest.slice(0, 8)})` : copy.version;
    found.compare('module', name, shown(a), shown(b));
  }
}

function namesOf(a: object | undefined, b: object | undefined): string[] {
  return [...new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])].sort();
}

function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
