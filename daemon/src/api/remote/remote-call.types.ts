import type { UserPrincipal } from '../../../../protocol/principal.ts';

/** What `serving.ts` says of a request that a member sent: a caller over HTTP has no way to say it. */
export interface RemoteCall {
  principal: UserPrincipal;
}
