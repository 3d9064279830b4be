/** Creates and edits Trusts: members are resolved to keys and uids when they are added, and stay the same until they are removed. */
import { randomUUID } from 'node:crypto';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type TrustMember, trustKind, trustSchema } from '../../../../protocol/kinds/trust.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { type Principal, subjectText } from '../../../../protocol/rights/principal.ts';
import type { Access } from '../access.types.ts';
import type { Directory } from '../directory.ts';
import type { Handler } from '../ports.ts';

export interface TrustParts {
  directory: Directory;
  access: Pick<Access, 'decide'>;
}

export function trustHandler({ directory, access }: TrustParts): Handler {
  return {
    async create(object, { principal }) {
      const { trustee: _trustee, members: _members, ...rest } = object;
      return withMembers(rest, await membersOf(object, [], directory, principal), trusteeOf(principal));
    },
    async update(object, previous, { principal, warn }) {
      assertTrustee(access, principal, previous);
      const stored = trustSchema.safeParse(previous).data;
      const members = await membersOf(object, stored?.members ?? [], directory, principal, warn);
      const { members: _members, ...rest } = object;
      return withMembers(rest, members, undefined);
    },
  };
}

/**
 * The members that a Trust names now. An existing member stays the same user, whatever the text would resolve to today: a user that was
 * made again under the same name does not take its place.
 */
async function membersOf(
  object: ApiObject,
  previous: readonly TrustMember[],
  directory: Directory,
  principal: Principal,
  warn: (text: string) => void = () => {},
): Promise<TrustMember[]> {
  const wanted = [...new Set(trustSchema.safeParse(object).data?.spec?.members ?? [])];
  const members = new Map<string, TrustMember>();
  for (const text of wanted) {
    const kept = previous.find(({ display }) => display === text);
    if (kept !== undefined) {
      members.set(subjectText(kept), kept);
      const now = await directory.user(text, 'spec.members').catch(() => undefined);
      if (now !== undefined && subjectText(now) !== subjectText(kept)) {
        warn(`${text} is another user now; the member is the earlier one. Remove it and add it again to admit the new one.`);
      }
      continue;
    }
    const resolved = await directory.user(text, 'spec.members', principal);
    const same = previous.find((member) => subjectText(member) === subjectText(resolved));
    if (members.has(subjectText(resolved))) continue;
    members.set(
      subjectText(resolved),
      same === undefined ? { ...resolved, membership: randomUUID() } : { ...same, display: resolved.display },
    );
  }
  return [...members.values()];
}

function withMembers(object: ApiObject, members: TrustMember[], trustee: object | undefined): ApiObject {
  const spec = trustSchema.safeParse(object).data?.spec;
  const shown = spec === undefined || spec.members === undefined ? spec : { ...spec, members: members.map(({ display }) => display) };
  return {
    ...object,
    ...(shown === undefined ? {} : { spec: shown }),
    ...(members.length === 0 ? {} : { members }),
    ...(trustee === undefined ? {} : { trustee }),
  };
}

function trusteeOf(principal: Principal): object | undefined {
  if (principal.type === 'operator') return undefined;
  const { home, name, uid } = principal;
  return { home, name, uid };
}

/**
 * The members of a trust get what others have shared into it, so only those with MANAGE on the Trust, like its maker, may edit it, and not
 * everybody with UPDATE.
 */
function assertTrustee(access: Pick<Access, 'decide'>, principal: Principal, object: ApiObject): void {
  const { group, plural } = trustKind;
  const decision = access.decide(principal, { verb: 'MANAGE', group, plural, name: object.metadata.name, object });
  if (decision.allowed) return;
  throw new DtkdError('FORBIDDEN', decision.reason, { next: 'Ask the trustee, or the operator of the node that keeps it.' });
}
