/** What a hostile member publishes properly, so that it is taken: a user of its own. */
import { randomBytes, randomUUID } from 'node:crypto';
import { AuthorDoc } from '../../../daemon/src/mesh/log/author-doc.ts';
import { type Epoch, pointText } from '../../../protocol/log/log-entry.ts';
import type { HostilePeer } from './hostile-peer.ts';

/** Makes a user known as the member's own; returns its uid. */
export function publishUser(peer: HostilePeer, name: string): string {
  const epoch: Epoch = { ms: Date.now(), random: randomBytes(8).toString('hex') };
  const uid = randomUUID();
  const metadata = { name, uid, resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
  const object = { apiVersion: 'dtkd.dev/v1', kind: 'User', metadata };
  const update = new AuthorDoc(epoch).write(new Map([[`dtkd.dev/users/${name}`, { b: pointText({ epoch, seq: 0 }), o: object }]]));
  peer.entries = [peer.sign({ epoch, update }).bytes];
  return uid;
}
