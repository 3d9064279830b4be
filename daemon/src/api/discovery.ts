/** Discovery documents, plain and aggregated, made from the kinds: pure. */
import { apiVersionOf, type Kind, type Verb } from '../../../protocol/kinds/kind.ts';

/** The group under which the daemon-wide actions are served. */
export const DAEMON_GROUP = 'dtkd.dev';

function groupsOf(kinds: readonly Kind[]): string[] {
  return [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== '').sort();
}

function versionsOf(kinds: readonly Kind[], group: string): string[] {
  return [...new Set(kinds.filter((kind) => kind.group === group).map((kind) => kind.version))];
}

/** The verbs in which Kubernetes clients look for what can be done. */
function verbsOf(kind: Kind): string[] {
  const verbs: (Verb | 'deletecollection')[] = [...kind.verbs];
  if (allowsDeleteCollection(kind)) verbs.push('deletecollection');
  return verbs.sort();
}

/** Only what users make can be deleted by the set: nobody removes all members of a domain by one request. */
export function allowsDeleteCollection(kind: Kind): boolean {
  return kind.verbs.includes('delete') && kind.verbs.includes('create');
}

export function apiVersions(): unknown {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

function apiGroup(kinds: readonly Kind[], group: string) {
  const versions = versionsOf(kinds, group).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

export function apiGroupList(kinds: readonly Kind[]): unknown {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupsOf(kinds).map((group) => apiGroup(kinds, group)) };
}

export function apiGroupDocument(kinds: readonly Kind[], group: string): unknown {
  return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(kinds, group) };
}

export function apiResourceList(kinds: readonly Kind[], group: string, version: string): unknown {
  const own = kinds.filter((kind) => kind.group === group && kind.version === version);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources: own.map((kind) => ({
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.scope === 'Namespaced',
      kind: kind.kind,
      verbs: verbsOf(kind),
      ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
    })),
  };
}

/** Everything below /api (`core`) or /apis in one document. */
export function aggregatedDiscovery(kinds: readonly Kind[], core: boolean, version: 'v2' | 'v2beta1'): unknown {
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
          .map((kind) => ({
            resource: kind.plural,
            responseKind: { group, version: kindVersion, kind: kind.kind },
            scope: kind.scope === 'Namespaced' ? 'Namespaced' : 'Cluster',
            singularResource: kind.singular,
            verbs: verbsOf(kind),
            shortNames: kind.shortNames,
          })),
      })),
    })),
  };
}
