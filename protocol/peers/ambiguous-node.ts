import { DtkdError } from '../errors.ts';

/** What is said of a bare name under which no node shows, since several members claim it; undefined of any other. Pure. */
export function ambiguousNode(name: string, members: readonly { shown: string; claimed: string | undefined }[]): DtkdError | undefined {
  const claimants = members.filter(({ claimed }) => claimed === name).map(({ shown }) => shown);
  if (claimants.length < 2 || claimants.includes(name)) return undefined;
  return new DtkdError('AMBIGUOUS', `${claimants.length} nodes claim the name "${name}"`, {
    next: `Say which: ${claimants.slice(0, 16).sort().join(', ')}. It is settled once the founder's node has seen them.`,
  });
}
