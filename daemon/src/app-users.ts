/** Users and rights as dtApps ask for them: fits access to the port that apps declare. */
import { dtAppKind } from '../../protocol/kinds/dtapp.ts';
import type { Access } from './access/access.types.ts';
import type { AppUsers } from './apps/ports.ts';
import type { Mesh } from './mesh/mesh.types.ts';

export function appUsers(access: Access, mesh: Pick<Mesh, 'domains'>): AppUsers {
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
    mayRequest: (user, object) => {
      const { group, plural } = dtAppKind;
      return access.decide(user, { verb: 'REQUEST', group, plural, name: object.metadata.name, object });
    },
    onChange: (listener) => access.onChange(listener),
  };
}
