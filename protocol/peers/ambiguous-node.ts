import { DtkdError } from '../errors.ts';

/** Returns the error for a bare name that no node shows under because several members claim it; undefined for any other name. Pure. */
export function ambiguousNode(name: string, members: readonly { shown: string; claimed: string | undefined }[]): DtkdError | undefined {
  const claimants = members.filter(({ claimed }) => claimed === name).map(({ shown }) => shown);
  if (claimants.length < 2 || claimants.includes(name)) return undefined;
  return new DtkdError('AMBIGUOUS', `${claimants.length} nodes claim the name "${name}"`, {
    next: `Name one of: ${claimants.slice(0, 16).sort().join(', ')}. It is settled once the founder's node has seen them.`,
  });
}
