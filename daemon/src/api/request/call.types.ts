import type { Principal, UserPrincipal } from '../../../../protocol/rights/principal.ts';

/** What `serving.ts` says of a request that a member sent: a caller over HTTP has no way to say it. */
export interface RemoteCall {
  principal: UserPrincipal;
}

/** What this daemon itself does for somebody, after they have gone: decided as a request of theirs. */
export interface OwnCall {
  principal: Principal;
}
