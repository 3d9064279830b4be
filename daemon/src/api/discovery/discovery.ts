/** Makes discovery documents, plain and aggregated, from the kinds. Pure. */
import { dtAppKind } from '../../../../protocol/kinds/dtapp.ts';
import { dtDomainKind, SIGHTLINE_GROUP } from '../../../../protocol/kinds/dtdomain.ts';
import { dtPeerKind } from '../../../../protocol/kinds/dtpeer.ts';
import { KINDS } from '../../../../protocol/kinds/index.ts';
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import { DTKD_GROUP, modelKind } from '../../../../protocol/kinds/model.ts';
import { resourceKind } from '../../../../protocol/kinds/resource.ts';
import { type DiscoveredKind, REVIEWS } from '../../../../protocol/kinds/review.ts';
import { serviceKind } from '../../../../protocol/kinds/service.ts';
import { serviceInstanceKind } from '../../../../protocol/kinds/service-instance.ts';

/** The group of the daemon-wide actions. */
export const DAEMON_GROUP = 'dtkd.dev';

/** All kinds that are served: stored ones, derived ones, and reviews. */
export const SERVED: readonly DiscoveredKind[] = [...KINDS, ...REVIEWS];

/** What `kubectl get all` shows: what people create and what runs. */
const IN_ALL: readonly Kind[] = [serviceKind, dtDomainKind, dtPeerKind, dtAppKind, modelKind, resourceKind, serviceInstanceKind];
/** The category of all kinds that are not Kubernetes' own, for `kubectl get dtkd`. */
const DTKD = 'dtkd';
const DTKD_GROUPS: readonly string[] = [DTKD_GROUP, SIGHTLINE_GROUP];

/** Verbs shown for all subresources; each accepts only some of them. */
const ACTION_VERBS = ['create', 'delete', 'get'];

/** Names of subresources, by `group/plural`. */
export type Subresources = ReadonlyMap<string, readonly string[]>;

/** From the keys of the API's extensions, `group/plural/subresource`. */
export function subresourcesOf(keys: Iterable<string>): Subresources {
  const found = new Map<string, string[]>();
  for (const key of [...keys].sort()) {
    const cut = key.lastIndexOf('/');
    const list = found.get(key.slice(0, cut)) ?? [];
    list.push(key.slice(cut + 1));
    found.set(key.slice(0, cut), list);
  }
  return found;
}

function categoriesOf(kind: DiscoveredKind): string[] {
  const inAll = IN_ALL.some(({ group, plural }) => group === kind.group && plural === kind.plural);
  return [...(inAll ? ['all'] : []), ...(DTKD_GROUPS.includes(kind.group) ? [DTKD] : [])];
}

function groupsOf(kinds: readonly DiscoveredKind[]): string[] {
  return [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== '').sort();
}

function versionsOf(kinds: readonly DiscoveredKind[], group: string): string[] {
  return [...new Set(kinds.filter((kind) => kind.group === group).map((kind) => kind.version))];
}

/** The verbs of a kind, as Kubernetes clients know them. */
function verbsOf(kind: DiscoveredKind): string[] {
  return [...kind.verbs, ...(allowsDeleteCollection(kind) ? ['deletecollection'] : [])].sort();
}

/** Only kinds that users create can be deleted as a collection, so that nobody removes all members of a domain with one request. */
export function allowsDeleteCollection(kind: Pick<DiscoveredKind, 'verbs'>): boolean {
  return kind.verbs.includes('delete') && kind.verbs.includes('create');
}

export function apiVersions(): unknown {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

function apiGroup(kinds: readonly DiscoveredKind[], group: string) {
  const versions = versionsOf(kinds, group).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

export function apiGroupList(kinds: readonly DiscoveredKind[]): unknown {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupsOf(kinds).map((group) => apiGroup(kinds, group)) };
}

export function apiGroupDocument(kinds: readonly DiscoveredKind[], group: string): unknown {
  return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(kinds, group) };
}

export function apiResourceList(kinds: readonly DiscoveredKind[], subresources: Subresources, group: string, version: string): unknown {
  const own = kinds.filter((kind) => kind.group === group && kind.version === version);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: own.flatMap((kind) => {
      const namespaced = kind.scope === 'Namespaced';
      const categories = categoriesOf(kind);
      return [
        {
          name: kind.plural,
          singularName: kind.singular,
          namespaced,
          kind: kind.kind,
          verbs: verbsOf(kind),
          ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
          ...(categories.length === 0 ? {} : { categories }),
        },
        ...(subresources.get(`${group}/${kind.plural}`) ?? []).map((name) => ({
          name: `${kind.plural}/${name}`,
          singularName: '',
          namespaced,
          kind: kind.kind,
          verbs: ACTION_VERBS,
        })),
      ];
    }),
  };
}

/** Everything below /api (`core`) or /apis in one document. */
export function aggregatedDiscovery(
  kinds: readonly DiscoveredKind[],
  subresources: Subresources,
  core: boolean,
  version: 'v2' | 'v2beta1',
): unknown {
  const groups = core ? [''] : groupsOf(kinds);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versionsOf(kinds, group).map((kindVersion) => ({
        version: kindVersion,
        freshness: 'Current',
        resources: kinds
          .filter((kind) => kind.group === group && kind.version === kindVersion)
          .map((kind) => {
            const responseKind = { group, version: kindVersion, kind: kind.kind };
            const below = subresources.get(`${group}/${kind.plural}`) ?? [];
            const categories = categoriesOf(kind);
            return {
              resource: kind.plural,
              responseKind,
              scope: kind.scope === 'Namespaced' ? 'Namespaced' : 'Cluster',
              singularResource: kind.singular,
              verbs: verbsOf(kind),
              shortNames: kind.shortNames,
              ...(categories.length === 0 ? {} : { categories }),
              ...(below.length === 0
                ? {}
                : { subresources: below.map((subresource) => ({ subresource, responseKind, verbs: ACTION_VERBS })) }),
            };
          }),
      })),
    })),
  };
}
