/** What a target said of a part, carried here in a file, as a conversation with it: so that it is heard like any other. */
import type { DispatchEvent } from '../../../../protocol/orders/messages.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import type { Conversation } from './conversation.ts';

/** `records`: its output from the beginning, perhaps not all of it. */
export interface CarriedAnswer {
  part: Part;
  records: Uint8Array;
}

/** Of output that is not in it the part says that it was dropped: here it is. */
export function carriedConversation(id: string, { part, records }: CarriedAnswer): Conversation {
  const left = (part.offset ?? 0) - records.length;
  const dropped = (part.dropped ?? 0) + Math.max(0, left);
  const word: Part = { ...part, offset: records.length, ...(dropped === 0 ? {} : { dropped }) };
  const events: DispatchEvent[] = [];
  return {
    isOpen: () => true,
    async ask(request) {
      const from = 'offset' in request ? request.offset : 0;
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
