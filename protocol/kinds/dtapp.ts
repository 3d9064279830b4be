import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { CREATOR_ANNOTATION } from '../rights/principal.ts';
import { SIGHTLINE_GROUP } from './dtdomain.ts';
import { ALL_VERBS, type Kind } from './kind.ts';

const AUTHENTICATION_TYPES = ['None', 'Custom', 'Capability'] as const;

const serviceSelector = z.object({
  name: z.string().min(1).max(253).describe('The name of a Service of the same node.'),
  port: z
    .union([z.number().int().min(1).max(65_535), z.string().max(63)])
    .optional()
    .describe('The port of the Service, by number or name. Default: 8080 if the Service has it, otherwise its only port.'),
});

const domainSelector = z.object({
  name: z.array(z.string().min(1).max(253)).min(1).max(16).describe('The names of the domains that the app is shared into.'),
});

const WHICH_SERVICE = 'The Service that requests to the app are sent to.';
const WHICH_DOMAINS = 'The domains whose members can see the app.';

const schema = z.object({
  // The original design writes the selectors beside `spec`. Both places are accepted and kept as written.
  serviceSelector: serviceSelector.optional().describe(WHICH_SERVICE),
  domainSelector: domainSelector.optional().describe(WHICH_DOMAINS),
  spec: z
    .object({
      serviceSelector: serviceSelector.optional().describe(WHICH_SERVICE),
      domainSelector: domainSelector.optional().describe(WHICH_DOMAINS),
      authenticationType: z
        .enum(AUTHENTICATION_TYPES)
        .optional()
        .describe(
          'Who may use the app: all members (None, default), whom authenticationURL allows (Custom), users with REQUEST (Capability).',
        ),
      authenticationURL: z
        .url({ protocol: /^https?$/ })
        .max(2048)
        .optional()
        .describe('For Custom: the URL asked before each request. A 2xx answer allows the request; 401 and 403 refuse it.'),
      allowCrossSite: z
        .boolean()
        .optional()
        .describe('Whether pages of other sites may send subrequests to the app, as told by Sec-Fetch-Site. Default: false.'),
    })
    .optional()
    .describe('The definition of the app.'),
  URI: z.string().optional().describe('The URI of the app through the ingress of this node.'),
  owner: z.string().optional().describe('The name of the node that owns the app. Set only on copies.'),
  status: z.string().optional().describe('Ready, or what is wrong: NoService, NoEndpoints, NoDomain or OwnerAway.'),
  message: z.string().optional().describe('A message that explains a status other than Ready.'),
});

/** Labels on a copy of another node's dtApp. */
export const APP_LABEL = 'dtkd.dev/app';
export const OWNER_LABEL = 'dtkd.dev/owner';

export interface AppSelectors {
  service: z.infer<typeof serviceSelector> | undefined;
  domains: readonly string[];
  authenticationType: (typeof AUTHENTICATION_TYPES)[number];
  authenticationURL: string | undefined;
  allowCrossSite: boolean;
}

/** Reads a dtApp wherever its selectors are written (`spec` wins). Undefined if the object is not a valid dtApp. */
export function appSelectors(object: Record<string, unknown>): AppSelectors | undefined {
  const parsed = schema.safeParse(object);
  if (!parsed.success) return undefined;
  const { spec } = parsed.data;
  return {
    service: spec?.serviceSelector ?? parsed.data.serviceSelector,
    domains: (spec?.domainSelector ?? parsed.data.domainSelector)?.name ?? [],
    authenticationType: spec?.authenticationType ?? 'None',
    authenticationURL: spec?.authenticationURL,
    allowCrossSite: spec?.allowCrossSite ?? false,
  };
}

/** The fields that users write. Created once, since creating a schema costs more than using it. */
const userFields = schema.omit({ URI: true, owner: true, status: true, message: true });

/** Annotations that are not published. */
const UNPUBLISHED = ['kubectl.kubernetes.io/last-applied-configuration', CREATOR_ANNOTATION];

/** Leaves out this node's own view (URI, status) and every domain but the one that it is published to. */
function publishedApp(object: ApiObject, domain: string): ApiObject {
  const { apiVersion, kind, metadata } = object;
  const only = { name: [domain] };
  const user = userFields.parse(object);
  const { namespace: _namespace, annotations, ...meta } = metadata;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !UNPUBLISHED.includes(key));
  return {
    apiVersion,
    kind,
    metadata: kept.length === 0 ? meta : { ...meta, annotations: Object.fromEntries(kept) },
    ...user,
    ...(user.domainSelector === undefined ? {} : { domainSelector: only }),
    ...(user.spec === undefined
      ? {}
      : { spec: { ...user.spec, ...(user.spec.domainSelector === undefined ? {} : { domainSelector: only }) } }),
  };
}

/** Restores the creator of an app, which is in no log, from the stored object if it is the same app. */
function withCreator(metadata: ApiObject['metadata'], stored: ApiObject['metadata'] | undefined): ApiObject['metadata'] {
  const creator = stored?.uid === metadata.uid ? stored.annotations?.[CREATOR_ANNOTATION] : undefined;
  return creator === undefined ? metadata : { ...metadata, annotations: { ...metadata.annotations, [CREATOR_ANNOTATION]: creator } };
}

/** A published app names one domain. The stored one keeps its other domains, and is removed once it names none. */
function adoptedApp(published: ApiObject | undefined, domain: string, stored: ApiObject | undefined): ApiObject | undefined {
  const others = (stored === undefined ? [] : (appSelectors(stored)?.domains ?? [])).filter((name) => name !== domain);
  const base = published ?? (others.length === 0 ? undefined : stored);
  if (base === undefined) return undefined;
  const only = { name: published === undefined ? others : [domain, ...others] };
  const user = userFields.parse(base);
  const { apiVersion, kind } = base;
  const metadata = withCreator(base.metadata, stored?.metadata);
  const inSpec = user.spec?.domainSelector !== undefined;
  return {
    apiVersion,
    kind,
    metadata,
    ...user,
    ...(user.domainSelector === undefined && inSpec ? {} : { domainSelector: only }),
    ...(inSpec ? { spec: { ...user.spec, domainSelector: only } } : {}),
    ...Object.fromEntries(['URI', 'status', 'message'].flatMap((field) => (stored?.[field] === undefined ? [] : [[field, stored[field]]]))),
  };
}

/** A Service shared into domains. Each of their members shows a copy with its own URI. */
export const dtAppKind: Kind = {
  group: SIGHTLINE_GROUP,
  version: 'v1',
  kind: 'dtApp',
  plural: 'dtapps',
  singular: 'dtapp',
  shortNames: ['dta', 'app', 'apps'],
  scope: 'Namespaced',
  shared: true,
  verbs: ALL_VERBS,
  description: 'A Service shared into domains. Each member of those domains has a copy of the app with its own URI.',
  schema,
  serverFields: ['URI', 'owner', 'status', 'message'],
  selectableFields: ['status', 'owner'],
  columns: [
    {
      name: 'App',
      type: 'string',
      description: 'name of the app at its owner',
      value: (app) => app.metadata.labels?.[APP_LABEL] ?? app.metadata.name,
      priority: 0,
    },
    {
      name: 'Owner',
      type: 'string',
      description: 'node that owns the app',
      value: (app) => app.metadata.labels?.[OWNER_LABEL] ?? app.metadata.namespace,
      priority: 0,
    },
    { name: 'Status', type: 'string', description: 'Ready, or what is wrong', path: 'status', priority: 0 },
    { name: 'URI', type: 'string', description: 'URI through the ingress of this node', path: 'URI', priority: 0 },
    {
      name: 'Domains',
      type: 'string',
      description: 'domains that it is shared into',
      value: (app) => appSelectors(app)?.domains.join(','),
      priority: 1,
    },
    { name: 'Message', type: 'string', description: 'why it is not Ready', path: 'message', priority: 1 },
  ],
  domainsOf: (object: ApiObject) => appSelectors(object)?.domains ?? [],
  published: publishedApp,
  adopted: adoptedApp,
};
