/** Encodes and decodes one log entry about rows that are kept of other nodes. Pure. */

export type LogEntry =
  | { type: 'ADDED'; peer: string; namespace: string; json: string }
  | { type: 'MODIFIED'; peer: string; namespace: string; json: string; previous: string }
  | { type: 'DELETED'; peer: string; namespace: string; previous: string }
  /** From here on, all rows of the peer are old (STALE), or are current again (PRESENT). */
  | { type: 'STALE'; peer: string; namespace: string; since: string }
  | { type: 'PRESENT'; peer: string; namespace: string };

/** Line breaks separate the fields of an entry, since encoded JSON contains none. */
export function encodeLogEntry(entry: LogEntry): Uint8Array {
  const { type, peer, namespace } = entry;
  const head = JSON.stringify({ type, peer, namespace, ...(entry.type === 'STALE' ? { since: entry.since } : {}) });
  const json = 'json' in entry ? [entry.json] : [];
  const previous = 'previous' in entry ? [entry.previous] : [];
  return Buffer.from([head, ...json, ...previous].join('\n'));
}

/** Does not validate: this daemon wrote the entry. */
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
