/** The steps that most stories begin with: found a domain, join it, share a service, find its copy. Each goes through the API. */
import { z } from 'zod';
import { APP_LABEL, OWNER_LABEL } from '../../protocol/kinds/dtapp.ts';
import { SIGHTLINE_GROUP } from '../../protocol/kinds/dtdomain.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { waitFor } from '../wait.ts';
import type { Site } from './site.ts';

const inviteView = z.looseObject({ id: z.string(), token: z.string(), expires: z.iso.datetime() });
const created = z.looseObject({ recoveryKey: z.string() });

/** Founds a domain; returns its recovery key. */
export async function found(site: Site, domain: string): Promise<string> {
  return created.parse(await site.call(site.path('dtdomain', domain, { sub: 'create' }), { method: 'POST', body: {} })).recoveryKey;
}

/** Makes an invite; returns its id, token and expiry. */
export async function invite(
  site: Site,
  domain: string,
  options: { uses?: number; expires?: number; replace?: string } = {},
): Promise<z.infer<typeof inviteView>> {
  return inviteView.parse(await site.call(site.path('dtdomain', domain, { sub: 'invites' }), { method: 'POST', body: options }));
}

/** Joins by way of `through`. */
export async function join(
  site: Site,
  domain: string,
  through: Site | string,
  token: string,
  options: { replace?: string } = {},
): Promise<void> {
  const address = typeof through === 'string' ? through : through.meshAddress;
  await site.call(site.path('dtdomain', domain, { sub: 'join' }), { method: 'POST', body: { address, token, ...options } });
}

/** The first site founds the domain, the others join through it; resolves when each sees all others connected. */
export async function formDomain(domain: string, sites: readonly Site[]): Promise<{ recoveryKey: string }> {
  const [founder, ...others] = sites;
  if (founder === undefined) throw new Error('a domain needs a site');
  const recoveryKey = await found(founder, domain);
  if (others.length > 0) {
    const { token } = await invite(founder, domain, { uses: others.length });
    for (const site of others) await join(site, domain, founder, token);
  }
  await Promise.all(sites.map((site) => connected(site, domain, sites)));
  return { recoveryKey };
}

/** The dtPeers of a domain at one site. */
export async function peers(site: Site, domain: string): Promise<ApiObject[]> {
  return (await site.list('dtpeers')).filter((peer) => peer['dtDomain'] === domain);
}

/** The dtPeer of another node (or its own) at a site. dtPeer.name may carry the node's suffix. */
export async function peerNamed(site: Site, domain: string, name: string): Promise<ApiObject | undefined> {
  return (await peers(site, domain)).find((peer) => peer['name'] === name || String(peer['name']).startsWith(`${name}.`));
}

/** Waits until `site` sees all `others` connected, and no peer besides. */
export async function connected(site: Site, domain: string, others: readonly Site[]): Promise<void> {
  await waitFor(
    async () => {
      const seen = (await peers(site, domain)).filter((peer) => peer['connected'] === true || peer['path'] === 'self');
      const names = new Set(seen.map((peer) => String(peer['name']).split('.')[0]));
      return others.every((other) => other === site || names.has(other.name));
    },
    { what: `${site.name} to see ${others.map((other) => other.name).join(', ')} connected in ${domain}` },
  );
}

export function serviceDocuments(name: string, to: { host: string; port: number }): Record<string, unknown>[] {
  return [
    { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ protocol: 'TCP', port: 8080, targetPort: to.port }] } },
    {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name },
      subsets: [{ addresses: [{ ip: to.host }], ports: [{ port: to.port }] }],
    },
  ];
}

export function appDocument(
  name: string,
  domains: readonly string[],
  service = name,
  spec: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    apiVersion: `${SIGHTLINE_GROUP}/v1`,
    kind: 'dtApp',
    metadata: { name },
    serviceSelector: { name: service },
    domainSelector: { name: domains },
    spec: { authenticationType: 'None', ...spec },
  };
}

/** Shares what listens at `to` into a domain. */
export async function expose(site: Site, name: string, to: { host: string; port: number }, domain: string): Promise<ApiObject> {
  for (const document of serviceDocuments(name, to)) await site.create(document);
  return site.create(appDocument(name, [domain]));
}

/** Shares an app with no Service behind it: the cheapest object that replicates. */
export async function publish(site: Site, name: string, domain: string): Promise<void> {
  await site.create(appDocument(name, [domain]));
}

/** A site's copy of another node's app, if it has one. */
export async function copyOf(site: Site, app: string, owner: string): Promise<ApiObject | undefined> {
  const copies = await site.list('dtapps', { query: `labelSelector=${encodeURIComponent(`${APP_LABEL}=${app},${OWNER_LABEL}=${owner}`)}` });
  return copies[0];
}

/** Waits for a site's copy of an app and returns its URI. */
export async function uriOf(site: Site, app: string, owner: Site): Promise<string> {
  return waitFor(
    async () => {
      const copy = await copyOf(site, app, owner.name);
      return typeof copy?.['URI'] === 'string' && copy['status'] === 'Ready' ? copy['URI'] : undefined;
    },
    { what: `${site.name} to show ${app} of ${owner.name}` },
  );
}

/** `owner/app` of every app that a site shows, its own and copies, sorted: what must be the same everywhere. */
export async function appsSeen(site: Site): Promise<string[]> {
  const apps = await site.list('dtapps');
  return apps
    .map((app) => `${app.metadata.labels?.[OWNER_LABEL] ?? site.name}/${app.metadata.labels?.[APP_LABEL] ?? app.metadata.name}`)
    .sort();
}
