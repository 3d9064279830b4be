import type { Channel } from '../channel/channel.ts';

/**
 * Pieces that come to at most this size together are copied into one write: cheaper than a gathered one, and one TLS record instead of
 * several.
 */
const JOIN_BYTES = 16 * 1024;

/** Collects pieces of an outgoing message and writes them in as few writes as is worthwhile. */
export class Gather {
  private pieces: Buffer[] = [];
  private bytes = 0;

  readonly push = (piece: Buffer): void => {
    this.pieces.push(piece);
    this.bytes += piece.length;
  };

  clear(): void {
    this.pieces = [];
    this.bytes = 0;
  }

  /** Writes the pieces. Returns false if the channel wants a pause. `give`: nothing else holds the memory of whole pieces. */
  flushTo(channel: Channel, give: boolean): boolean {
    const { pieces, bytes } = this;
    const first = pieces[0];
    if (first === undefined) return true;
    this.clear();
    if (pieces.length === 1) return channel.write(first, give);
    if (bytes <= JOIN_BYTES) return channel.write(Buffer.concat(pieces, bytes));
    let room = true;
    for (const piece of pieces) room = channel.write(piece, give);
    return room;
  }
}
