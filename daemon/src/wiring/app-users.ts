/** Adapts access to the port of users and rights that dtApps declare. */
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { UserPrincipal } from '../../../protocol/rights/principal.ts';
import type { Access, Audit, Decision } from '../access/access.types.ts';
import type { AppUsers } from '../apps/ports.ts';
import type { Mesh } from '../mesh/mesh.types.ts';

export function appUsers(access: Access, mesh: Pick<Mesh, 'domains'>, audit: Audit): AppUsers {
  const { group, plural } = dtAppKind;
  const mayRequest = (user: UserPrincipal, object: ApiObject): Decision =>
    access.decide(user, { verb: 'REQUEST', group, plural, name: object.metadata.name, object });
  const namespaceOf = (domain: string, key: string) =>
    mesh
      .domains()
      .find(({ id }) => id === domain)
      ?.peers.find((peer) => peer.key === key)?.displayName ?? key.slice(0, 12);
  return {
    userOf(token) {
      const principal = access.authenticate(token);
      return principal?.type === 'user' ? principal : undefined;
    },
    remoteUser: ({ domain, peer }, user) => access.remoteUser({ peerKey: peer, namespace: namespaceOf(domain, peer) }, user),
    mayRequest,
    admit(user, object) {
      const decision = mayRequest(user, object);
      audit.record({
        who: user.display,
        home: user.home,
        verb: 'request',
        what: `${group}/${plural}/${object.metadata.namespace ?? ''}/${object.metadata.name}`,
        outcome: decision.allowed ? 'allowed' : 'denied',
        because: decision.allowed ? decision.because : decision.reason,
      });
      return decision;
    },
    onChange(listener) {
      const forget = [access.onChange(listener), access.onTokenEnd(listener)];
      return () => {
        for (const one of forget) one();
      };
    },
  };
}
