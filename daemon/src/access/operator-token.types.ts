import type { OperatorPrincipal } from '../../../protocol/rights/principal.ts';

/** `operator-token.ts`: `openOperatorToken({file, group?})`. */
export interface OperatorToken {
  authenticate(bearerToken: string): OperatorPrincipal | undefined;
  /** Makes a new token, which replaces the old one at once, in the file and here. */
  rotate(): Promise<string>;
}

export interface OperatorTokenOptions {
  file: string;
  /** Numeric id of the group that may read the file; else only its owner may. */
  gid?: number;
}
