/** One line of what happened to the rows that are kept of others: text in, entry out. Pure. */

export type LogEntry =
  | { type: 'ADDED'; peer: string; namespace: string; json: string }
  | { type: 'MODIFIED'; peer: string; namespace: string; json: string; previous: string }
  | { type: 'DELETED'; peer: string; namespace: string; previous: string }
  /** All rows of the peer are old from then on, or are its present ones again. */
  | { type: 'STALE'; peer: string; namespace: string; since: string }
  | { type: 'PRESENT'; peer: string; namespace: string };

/** JSON has no line breaks of its own, so they can part what belongs to an entry. */
export function encodeLogEntry(entry: LogEntry): Uint8Array {
  const { type, peer, namespace } = entry;
  const head = JSON.stringify({ type, peer, namespace, ...(entry.type === 'STALE' ? { since: entry.since } : {}) });
  const json = 'json' in entry ? [entry.json] : [];
  const previous = 'previous' in entry ? [entry.previous] : [];
  return Buffer.from([head, ...json, ...previous].join('\n'));
}

/** What this daemon wrote is trusted to be what it wrote. */
export function decodeLogEntry(bytes: Uint8Array): LogEntry {
  const [head = '', first = '', second = ''] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\n');
  const { type, peer, namespace, since }: { type: LogEntry['type']; peer: string; namespace: string; since: string } = JSON.parse(head);
  switch (type) {
    case 'ADDED':
      return { type, peer, namespace, json: first };
    case 'MODIFIED':
      return { type, peer, namespace, json: first, previous: second };
    case 'DELETED':
      return { type, peer, namespace, previous: first };
    case 'STALE':
      return { type, peer, namespace, since };
    default:
      return { type, peer, namespace };
  }
}
