/**
 * A user of a site, who works as people do: with the user's own token, at the API and the CLI of that site. And what operators do for
 * users: add them, grant, share, revoke. Nothing is waited for but that a user or a trust is known where something is given to it.
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { type NodeStatement, nodeStatement } from '../../protocol/objects/completeness.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { waitFor } from '../wait.ts';
import { type ApiAnswer, ApiFailure, type Site } from './site.ts';

const tokenAnswer = z.object({ token: z.string() });
const listAnswer = z.looseObject({
  metadata: z.looseObject({
    resourceVersion: z.string(),
    continue: z.string().optional(),
    completeness: z.array(nodeStatement).optional(),
  }),
  items: z.array(z.custom<ApiObject>((value) => z.looseObject({ metadata: z.looseObject({ name: z.string() }) }).safeParse(value).success)),
});

export interface ListOptions {
  /** All nodes; else this one, or the one named. */
  all?: boolean;
  namespace?: string;
  query?: Record<string, string>;
}

export interface Listed {
  items: ApiObject[];
  /** `node/name` of each row, in the order of the answer. */
  rows: string[];
  completeness: NodeStatement[];
  /** What is said of a node; undefined if nothing is. */
  stateOf(node: string): NodeStatement['state'] | undefined;
  resourceVersion: string;
  continue: string | undefined;
}

export class SiteUser {
  readonly site: Site;
  readonly name: string;
  token: string;

  constructor(site: Site, name: string, token: string) {
    this.site = site;
    this.name = name;
    this.token = token;
  }

  /** As it is known everywhere. */
  get display(): string {
    return `${this.name}@${this.site.name}`;
  }

  /** Any status is an answer. */
  async api(path: string, options: { method?: string; body?: unknown; contentType?: string } = {}): Promise<ApiAnswer> {
    return this.site.api(path, { ...options, headers: { authorization: `Bearer ${this.token}` } });
  }

  async call(path: string, options: { method?: string; body?: unknown; contentType?: string } = {}): Promise<unknown> {
    const answer = await this.api(path, options);
    if (answer.status >= 300) throw new ApiFailure(`${options.method ?? 'GET'} ${path} as ${this.display}`, answer);
    return answer.body;
  }

  async list(kind: string, { query = {}, ...where }: ListOptions = {}): Promise<Listed> {
    const search = new URLSearchParams(query).toString();
    const path = `${this.site.path(kind, undefined, where)}${search === '' ? '' : `?${search}`}`;
    const { metadata, items } = listAnswer.parse(await this.call(path));
    const completeness = metadata.completeness ?? [];
    return {
      items,
      rows: items.map((item) => `${item.metadata.namespace}/${item.metadata.name}`),
      completeness,
      stateOf: (node) => completeness.find((statement) => statement.node === node)?.state,
      resourceVersion: metadata.resourceVersion,
      continue: metadata.continue,
    };
  }

  /** Opens a watch or another answer that streams. */
  async stream(path: string): Promise<IncomingMessage> {
    const response = await this.site.openApi(path, { authorization: `Bearer ${this.token}` });
    if (response.statusCode !== 200) throw new Error(`${path} as ${this.display}: ${response.statusCode}`);
    return response;
  }

  /** The status of reading one object: 200, 403, 404, 503. */
  async statusOf(kind: string, name: string, namespace = this.site.name): Promise<number> {
    return (await this.api(this.site.path(kind, name, { namespace }))).status;
  }

  async create(document: Record<string, unknown>, namespace?: string): Promise<ApiAnswer> {
    const path = this.site.path(String(document['kind']), undefined, namespace === undefined ? {} : { namespace });
    return this.api(path, { method: 'POST', body: document });
  }

  async cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return this.site.cli('--token', this.token, ...args);
  }
}

export async function addUser(site: Site, name: string): Promise<SiteUser> {
  await site.create({ apiVersion: 'dtkd.dev/v1', kind: 'User', metadata: { name } });
  return new SiteUser(site, name, await newToken(site, name));
}

/** The token before ends. */
export async function newToken(site: Site, name: string): Promise<string> {
  return tokenAnswer.parse(await site.call(site.path('user', name, { sub: 'token' }), { method: 'POST', body: {} })).token;
}

/** Waits until `site` knows an object of a shared kind of another node. */
export async function known(site: Site, kind: string, display: string): Promise<ApiObject> {
  const [name = '', namespace = ''] = display.split('@');
  return waitFor(async () => site.get(kind, name, namespace), { what: `${site.name} to know ${kind} ${display}` });
}

/** What is granted or shared: as `spec.on` of a Capability. */
export type On = Record<string, string>;

/** Grants as the operator of `site`, to a user or to `trust:NAME@NODE`; returns the capability's name. */
export async function grant(site: Site, to: SiteUser | string, verbs: readonly string[], on: On): Promise<string> {
  if (to instanceof SiteUser) await known(site, 'user', to.display);
  else if (to.startsWith('trust:')) await known(site, 'trust', to.slice('trust:'.length));
  const spec = { to: to instanceof SiteUser ? to.display : to, verbs, on };
  const made = await site.create({ apiVersion: 'dtkd.dev/v1', kind: 'Capability', metadata: { generateName: 'c-' }, spec });
  return made.metadata.name;
}

export async function revoke(site: Site, capability: string): Promise<void> {
  await site.delete('capability', capability);
}

/** Shares as the operator of `site` into `NAME@NODE`; returns the share's name. */
export async function share(site: Site, trust: string, verbs: readonly string[], on: On): Promise<string> {
  await known(site, 'trust', trust);
  const spec = { trust, verbs, on };
  const made = await site.create({ apiVersion: 'dtkd.dev/v1', kind: 'Share', metadata: { generateName: 's-' }, spec });
  return made.metadata.name;
}

export function modelDocument(name: string, spec: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name }, spec };
}

export function resourceDocument(
  name: string,
  spec: Record<string, unknown>,
  labels: Record<string, string> = {},
): Record<string, unknown> {
  return { apiVersion: 'dtkd.dev/v1', kind: 'Resource', metadata: { name, labels }, spec };
}
