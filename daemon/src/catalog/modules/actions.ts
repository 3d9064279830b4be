/** Daemon-wide actions of modules: install, publish, fetch, and choose versions for a lock. */
import type { z } from 'zod';
import { MAX_LOCK_BYTES } from '../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { fetchRequest, lockRequest } from '../../../../protocol/requests/module.ts';
import type { ModelActionRequest } from '../model/ports.ts';
import { chooseRelease, type FetchingOptions, takeRelease } from './fetching.ts';
import { assertMayKeep, installModule, readInstallRequest } from './installing.ts';
import { type Asker, lines } from './progress.ts';
import { publishModule, readPublishRequest } from './publishing.ts';
import type { Releases } from './releases.ts';
import type { ModuleResolver } from './resolving.ts';
import { versionsHere } from './versions.ts';

/** An action as the API calls it, with a signal that aborts when the client disconnects. */
export interface ModuleAction {
  (request: ModelActionRequest & { signal?: AbortSignal }): Promise<unknown>;
  maxBodyBytes?: number;
  open?: 'user';
}

export interface ActionsOptions extends FetchingOptions {
  releases: Releases;
  resolver: ModuleResolver;
}

export function moduleActions(options: ActionsOptions): ReadonlyMap<string, ModuleAction> {
  const install: ModuleAction = async ({ method, body, principal }) => {
    assertPost(method, 'install a module');
    const { module, changes } = await installModule(options, principal, readInstallRequest(body));
    return { ...module, changes };
  };
  const publish: ModuleAction = async ({ method, body, principal }) => {
    assertPost(method, 'publish a module');
    return publishModule(options, principal, readPublishRequest(body));
  };
  const fetch: ModuleAction = async ({ method, body, principal, signal = new AbortController().signal }) => {
    assertPost(method, 'fetch a module');
    const wanted = read(fetchRequest, body, '{"module": NAME, "range": RANGE, "from": NODE}');
    return { stream: lines((tell) => fetchModule(options, wanted, { principal, signal, tell })) };
  };
  const lock: ModuleAction = async ({ method, body, principal, signal = new AbortController().signal }) => {
    assertPost(method, 'choose versions');
    const { fetch: mayFetch = true, ...asked } = read(lockRequest, body, '{"module", "version", "dependencies", "types", "lock"}');
    assertMayKeep(options, principal, asked);
    return { stream: lines((tell) => chooseVersions(options, asked, mayFetch ? { principal, signal, tell } : undefined)) };
  };
  lock.maxBodyBytes = 4 * MAX_LOCK_BYTES;
  for (const action of [install, publish, fetch, lock]) action.open = 'user';
  return new Map([
    ['modules', install],
    ['module-publish', publish],
    ['module-fetch', fetch],
    ['module-lock', lock],
  ]);
}

/** Fetches the requested release and all modules that it needs. */
async function fetchModule(options: ActionsOptions, wanted: z.infer<typeof fetchRequest>, asker: Asker): Promise<object> {
  const { store, node, releases, resolver } = options;
  const here = await versionsHere(store, node, wanted.module);
  const chosen = chooseRelease(wanted, await releases.of(wanted.module), here);
  const { module, version, digest } = chosen.fields;
  assertMayKeep(options, asker.principal, chosen.fields);
  const known = here.some(({ fields }) => fields.digest === digest);
  if (!known) await takeRelease(options, chosen, asker);
  const { modules } = await resolver.resolveAs({ name: module, version }, undefined, asker);
  const needed = [...modules].filter(([name]) => name !== module);
  return {
    module,
    version,
    digest,
    publisher: chosen.node,
    known,
    dependencies: needed.map(([name, { manifest }]) => ({ module: name, version: manifest.version })),
  };
}

/** Chooses the versions for a module's lock. Without an asker nothing is fetched. */
async function chooseVersions(options: ActionsOptions, asked: z.infer<typeof lockRequest>, asker: Asker | undefined): Promise<object> {
  const { module: name, version: own, dependencies, types, lock } = asked;
  const chosen = await options.resolver.choose({ name, version: own, dependencies, types }, lock, asker, 'newest');
  const modules = [...chosen].map(([module, { version, digest, publisher }]) => [module, { version, digest, publisher }]);
  return { dsl_version: '1.0', modules: Object.fromEntries(modules) };
}

function read<T>(schema: z.ZodType<T>, input: unknown, expected: string): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DtkdError('BAD_REQUEST', `the body is wrong: ${issue?.path.join('.') || 'it'} ${issue?.message ?? ''}`, {
    next: `Send ${expected}.`,
  });
}

function assertPost(method: string, what: string): void {
  if (method !== 'POST') throw new DtkdError('METHOD_NOT_ALLOWED', `use POST to ${what}`, { next: 'List modules as objects.' });
}
