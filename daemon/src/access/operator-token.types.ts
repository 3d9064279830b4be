import type { OperatorPrincipal } from '../../../protocol/rights/principal.ts';

/** The operator's bearer token, as opened by `openOperatorToken` in `operator-token.ts`. */
export interface OperatorToken {
  authenticate(bearerToken: string): OperatorPrincipal | undefined;
  /** Creates a new token, which replaces the old one at once, in the file and in memory. */
  rotate(): Promise<string>;
}

export interface OperatorTokenOptions {
  file: string;
  /** Numeric id of the group that may read the file; absent: only its owner may. */
  gid?: number;
}
