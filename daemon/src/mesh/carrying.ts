/**
 * One domain as files carry it. Reads what sync and the exchange of facts would send, and hands received data to the code that takes in
 * what members send. Judges nothing itself.
 */
import type { PeerKey } from '../../../protocol/ids.ts';
import { compareEpochs, parseEntry } from '../../../protocol/log/log-entry.ts';
import { SYNC_CHUNK_BYTES } from '../../../protocol/log/sync.ts';
import type { DomainNode } from './domain/domain-node.ts';
import type { DomainLog, Head } from './log/log.types.ts';
import type { DomainMembership } from './membership/domain-membership.ts';
import type { DomainCarrying } from './mesh.types.ts';

interface Carried {
  domain: Pick<DomainCarrying, 'id' | 'name' | 'self'> & {
    membership: DomainMembership;
    sign(context: 'parcel', bytes: Uint8Array): Uint8Array;
  };
  node: Pick<DomainNode, 'log' | 'received' | 'gained'>;
  selfName: string;
}

export function carryingOf({ domain, node, selfName }: Carried): DomainCarrying {
  const { id, name, self, membership } = domain;
  return {
    id,
    name,
    self,
    selfName,
    items: () => membership.items(),
    heads: () => node.log.heads(),
    entries: (theirs) => allMissing(node.log, theirs),
    async preview(items) {
      const { state, added, rejected } = await membership.preview(items);
      const standing = (key: PeerKey) => (state.members.has(key) ? 'member' : state.removed.has(key) ? 'removed' : 'stranger');
      return { standing, added: added.length, rejected };
    },
    async takeItems(items) {
      const { added, rejected } = await node.received.add(items);
      return { added: added.length, rejected };
    },
    takeEntry: (entry) => node.log.receive(entry),
    gained: () => node.gained(),
    isAwaiting: () => node.log.isAwaiting(),
    seal: (bytes) => domain.sign('parcel', bytes),
  };
}

/** All entries that a node with these heads lacks, in parts: after each part, continues with the heads that the node would then have. */
async function* allMissing(log: Pick<DomainLog, 'missing'>, theirs: readonly Head[]): AsyncGenerator<Uint8Array[]> {
  let heads = [...theirs];
  for (;;) {
    const entries = await log.missing(heads, SYNC_CHUNK_BYTES);
    if (entries.length === 0) return;
    yield entries;
    const reached = new Map<string, Head>();
    for (const bytes of entries) {
      const { author, epoch, seq, hash } = parseEntry(bytes);
      reached.set(`${author} ${epoch.ms} ${epoch.random}`, { author, epoch, seq, hash });
    }
    const isPassed = (head: Head) =>
      [...reached.values()].some((one) => one.author === head.author && compareEpochs(one.epoch, head.epoch) === 0);
    heads = [...heads.filter((head) => !isPassed(head)), ...reached.values()];
  }
}
