/** Files of instances and worlds around them, made in memory. */
import type { ServiceView, TargetView, World } from '../../../../daemon/src/catalog/instances/desired/desired.types.ts';
import { BUILTINS, expand } from '../../../../daemon/src/catalog/instances/desired/expand.ts';
import type {
  AppliedResource,
  Desired,
  DesiredResource,
  ModuleCopy,
  Plan,
  ServiceFiles,
} from '../../../../daemon/src/catalog/instances/instances.types.ts';
import { moduleManifest } from '../../../../protocol/definitions/module.ts';
import { serviceFile } from '../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../protocol/errors.ts';

export const NODE = 'node1';

export function copy(name: string, types: object, more: object = {}): ModuleCopy {
  const manifest = moduleManifest.parse({ dsl_version: '1.0', module: name, version: '1.0.0', types, ...more });
  const bytes = Buffer.from(JSON.stringify(manifest));
  return {
    name,
    version: '1.0.0',
    manifest,
    archive: { version: 1, files: [] },
    bytes,
    digest: Buffer.from(name).toString('hex').padEnd(64, '0'),
  };
}

export function filesOf(body: object, ...copies: ModuleCopy[]): ServiceFiles {
  const service = serviceFile.parse({
    dsl_version: '1.0',
    name: 'shop',
    module: 'acme/web',
    version: '1.0.0',
    assembly: 'web-tier',
    ...body,
  });
  return {
    service,
    lock: { dsl_version: '1.0', modules: {} },
    copies: new Map(copies.map((one) => [one.name, one])),
    place: (path) => `dtk.service.yaml:${path.length}:1`,
  };
}

export interface WorldOptions {
  /** Names of nodes, with tags: `node1`, `node2 web`. */
  nodes?: readonly string[];
  addresses?: boolean;
  applied?: Iterable<AppliedResource>;
  targets?: readonly Partial<TargetView>[];
  services?: readonly ServiceView[];
  secrets?: readonly string[];
  /** Objects that others have: `models/shop`. */
  taken?: readonly string[];
}

export function world(options: WorldOptions = {}): World {
  const nodes = (options.nodes ?? ['node1', 'node2 web', 'node3 web']).map((text) => text.split(' '));
  return {
    node: NODE,
    nodes: {
      list: () =>
        Promise.resolve(
          nodes.map(([name = ''], index) => ({
            name,
            self: name === NODE,
            address: options.addresses === false ? undefined : `10.0.0.${index + 1}`,
            object: {
              apiVersion: '',
              kind: 'Node',
              metadata: { name, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
            },
          })),
        ),
      matching: ({ include, exclude }) => {
        if (include.includes('!')) return Promise.reject(new DtkdError('BAD_REQUEST', 'the filter has a !', { next: 'Leave it out.' }));
        return Promise.resolve(nodes.filter((node) => matches(include, node) && !matches(exclude, node)).flatMap(([name]) => name ?? []));
      },
    },
    applied: new Map([...(options.applied ?? [])].map((row) => [row.name, row])),
    target: (name) => Promise.resolve(targetView(options.targets?.find((one) => one.name === name))),
    service: (name) => Promise.resolve(options.services?.find((one) => one.name === name)),
    secrets: { has: (name) => Promise.resolve(options.secrets?.includes(name) ?? false) },
    builtins: BUILTINS,
    isAppTaken: (_instance, { plural }, { node, name }) => Promise.resolve(options.taken?.includes(`${node}/${plural}/${name}`) ?? false),
    isTaken: (_instance, plural, name) => Promise.resolve(options.taken?.includes(`${plural}/${name}`) ?? false),
  };
}

function targetView(view: Partial<TargetView> | undefined): TargetView | undefined {
  return view === undefined
    ? undefined
    : { name: '', isTarget: true, kind: undefined, phase: 'Ready', offers: {}, secretOffers: [], ...view };
}

function matches(filter: string | undefined, [name, ...tags]: readonly string[]): boolean {
  if (filter === undefined) return false;
  const [key = '', value] = filter.split('=');
  if (key === 'self') return name === NODE;
  if (value === undefined) return key.split(',').includes(name ?? '');
  return value.split(',').some((one) => (key === 'tags' ? tags.includes(one) : one === name || one === '.*'));
}

/** The kinds and places of what is wrong, without the places in the file. */
export async function wrong(files: ServiceFiles, around: World = world()): Promise<string[]> {
  const { violations } = await expand(files, around);
  return violations.map(({ kind, where }) => `${kind} ${where.replace(/ \(.*\)$/, '')}`);
}

/** What it comes to; nothing may be wrong. */
export async function desiredOf(files: ServiceFiles, around: World = world()): Promise<Desired> {
  const { desired, violations } = await expand(files, around);
  if (violations.length > 0) throw new Error(`violations: ${JSON.stringify(violations, undefined, 1)}`);
  return desired;
}

/** The row that a resource has once it was brought up. */
export function rowOf(resource: DesiredResource, more: Partial<AppliedResource> = {}): AppliedResource {
  return { ...resource, created: true, commit: 'c'.repeat(40), at: 0, ...more };
}

export function appliedOf(desired: Desired): Map<string, AppliedResource> {
  return new Map([...desired.resources.values()].map((resource) => [resource.name, rowOf(resource)]));
}

/** `1.2 create web-1 [1.1]`: what a plan runs, with what it waits for. */
export function linesOf(plan: Plan): string[] {
  return plan.steps.map(({ number, work, after, title }) =>
    work === undefined
      ? `${number} ${title}`
      : `${number} ${work.command ?? '-'} ${work.resource}@${work.node}${after.length === 0 ? '' : ` [${after.join(' ')}]`}`,
  );
}

/** A shell command that does nothing. */
export const RUN = { script: { inline: 'true' } };

/** Types for stories: a server that is linked to a database, and a site that has servers as children. */
export const WEB = copy('acme/web', {
  Server: {
    extends: 'Service',
    open: false,
    properties: {
      port: { type: 'port', default: 8080 },
      tier: { allowed: ['gold', 'silver'] },
      upstream: {},
      'db-port': { type: 'port' },
      password: { type: 'secret' },
      peers: { type: 'array' },
      named: { type: 'object' },
    },
    links: {
      db: {
        type: 'Database',
        take: { upstream: 'node.address', 'db-port': 'port', password: 'password' },
        give: { clients: 'resource.name' },
      },
    },
    commands: { create: RUN, converge: RUN, delete: RUN, check: RUN, restart: RUN, hidden: { ...RUN, private: true } },
  },
  Database: {
    extends: 'Service',
    open: false,
    properties: {
      port: { type: 'port', default: 5432 },
      password: { type: 'secret' },
      clients: { type: 'array' },
      size: { type: 'integer', required: true, default: 1 },
    },
    commands: { create: RUN, delete: RUN },
  },
  Rack: { extends: 'Site', children: [{ type: 'Server', max: 2 }] },
  Base: { abstract: true },
});
