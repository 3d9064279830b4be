import type { Principal, UserPrincipal } from '../../../../protocol/rights/principal.ts';

/** What `serving.ts` states about a request from a member. A caller over HTTP cannot state it. */
export interface RemoteCall {
  principal: UserPrincipal;
}

/** A request that this daemon makes on somebody's behalf after they have gone. It is decided as a request of theirs. */
export interface OwnCall {
  principal: Principal;
}
