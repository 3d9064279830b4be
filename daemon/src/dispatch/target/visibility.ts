/** Who may see a part, and who may end it: pure. */
import type { Principal } from '../../../../protocol/principal.ts';
import type { Decide } from '../dispatch.types.ts';
import { asked } from './about.ts';
import type { RowFacts } from './journal-row.ts';

/** Whoever may READ what it is about, whoever started it, and this node's operator. */
export function mayRead({ principal: starter, about }: RowFacts, principal: Principal, decide: Decide, node: string): boolean {
  if (principal.type === 'operator') return true;
  const own =
    starter.type === 'user' && starter.home === principal.home && starter.name === principal.name && starter.uid === principal.uid;
  return own || decide(principal, asked(about, node, 'READ')).allowed;
}

/** Whoever may EXECUTE what it is about. */
export function mayEnd({ about }: RowFacts, principal: Principal, decide: Decide, node: string): ReturnType<Decide> {
  return decide(principal, asked(about, node, 'EXECUTE'));
}
