/** Presents a target's report that was carried here in a file as a conversation with it, so that it is handled like any other. */
import type { DispatchEvent } from '../../../../../protocol/orders/messages.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { Conversation } from './conversation.ts';

/** `records`: the output from its beginning on, perhaps not all of it. */
export interface CarriedAnswer {
  part: Part;
  records: Uint8Array;
}

/** Output that is neither in the report nor collected already counts as dropped. */
export function carriedConversation(id: string, { part, records }: CarriedAnswer): Conversation {
  const events: DispatchEvent[] = [];
  return {
    isOpen: () => true,
    async ask(request) {
      const from = 'offset' in request ? request.offset : 0;
      const offset = Math.max(from, records.length);
      const dropped = (part.dropped ?? 0) + Math.max(0, (part.offset ?? 0) - offset);
      const word: Part = { ...part, offset, ...(dropped === 0 ? {} : { dropped }) };
      events.push({ type: 'part', id, part: word });
      if (from < records.length) events.push({ type: 'records', offset: from, records: Uint8Array.from(records.subarray(from)) });
      events.push({ type: 'end' });
    },
    async next() {
      return events.shift();
    },
    close: () => undefined,
  };
}
