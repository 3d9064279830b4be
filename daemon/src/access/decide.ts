import { OPERATOR } from '../../../protocol/principal.ts';

/**
 * Decides every request. The operator, who holds this node's token, may do everything here; nobody else may do anything yet: users,
 * capabilities and trusts will be further cases of this one pure function.
 */
export interface Asker {
  name: string;
}

export interface Asked {
  verb: string;
  group: string;
  resource: string;
  namespace: string;
  name: string;
}

export type Verdict = { allowed: true } | { allowed: false; reason: string };

export function decide(asker: Asker, asked: Asked): Verdict {
  if (asker.name === OPERATOR) return { allowed: true };
  const about = asked.name === '' ? asked.resource : `${asked.resource} "${asked.name}"`;
  return { allowed: false, reason: `${asker.name} may not ${asked.verb} ${about}` };
}
