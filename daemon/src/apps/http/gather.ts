import type { Channel } from '../channel/channel.ts';

/** Pieces up to this size are copied together into one write: cheaper than a gathered one, and one TLS record instead of several. */
const JOIN_BYTES = 16 * 1024;

/** Pieces of a message on their way out, written in as few writes as pays. */
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

  /** False if the channel wants a pause. `give`: whole pieces have no other owner. */
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
