/**
 * Lowers three costs of every small message in the libraries below us, which matter with fifty daemons on one machine. yamux answers each
 * frame with a window update, which is one more encrypted packet and write; Noise signals the end of its buffer with an error and a stack
 * trace; and TCP writes the length of a packet and the packet separately. All are patched from outside. If a library is not as expected,
 * nothing is changed.
 */
import { Socket } from 'node:net';
import { StreamState, YamuxStream } from '@chainsafe/libp2p-yamux/stream';
import type { Connection } from '@libp2p/interface';

/** A window update is sent once this part of the window is used, long before the sender runs out of it. */
const UPDATE_AT = 0.5;
/** Bytes of the packet length in Noise. */
const LENGTH_BYTES = 2;

/** Makes yamux streams send a window update only when half of the window is used. Call it once. */
export function updateWindowsRarely(): void {
  const update = YamuxStream.prototype.sendWindowUpdate;
  YamuxStream.prototype.sendWindowUpdate = function sendWindowUpdate(): void {
    // While a stream is being opened, the update is the answer that the other side waits for, whatever the window is.
    const opening = this.state === StreamState.Init || this.state === StreamState.SYNReceived;
    if (opening || !hasRoom(this)) update.call(this);
  };
}

function hasRoom(stream: YamuxStream): boolean {
  const window: unknown = Reflect.get(stream, 'recvWindow');
  const left: unknown = Reflect.get(stream, 'recvWindowCapacity');
  return typeof window === 'number' && typeof left === 'number' && left > window * UPDATE_AT;
}

/** One shared error: it only means "wait for more", and a stack trace each time would cost more than decrypting. */
const MORE_IS_NEEDED = new RangeError('the length of the next packet has not arrived');

/** Lets Noise wait for the next packet of a connection without creating an error each time. */
export function waitCheaply(connection: Connection): void {
  const decoder = child(child(child(connection, 'muxer'), 'maConn'), 'decoder');
  const decode = child(decoder, 'lengthDecoder');
  if (decoder === undefined || typeof decode !== 'function' || Reflect.get(decode, 'bytes') !== LENGTH_BYTES) return;
  Reflect.set(decoder, 'lengthDecoder', (buffer: { length: number }): unknown => {
    if (buffer.length < LENGTH_BYTES) throw MORE_IS_NEEDED;
    return Reflect.apply(decode, undefined, [buffer]);
  });
}

/** Combines all writes of one turn of the event loop: each write is a system call, and wakes the other side. */
export function writeTogether(connection: Connection): void {
  const tcp = tcpOf(connection);
  const socket = socketOf(connection);
  const send = child(tcp, 'sendData');
  if (tcp === undefined || typeof send !== 'function' || socket === undefined) return;
  let waits = false;
  const flush = (): void => {
    waits = false;
    socket.uncork();
  };
  Reflect.set(tcp, 'sendData', (data: unknown): unknown => {
    if (!waits) {
      waits = true;
      socket.cork();
      process.nextTick(flush);
    }
    return Reflect.apply(send, tcp, [data]);
  });
}

/** The socket below a connection; undefined if it is relayed. */
export function socketOf(connection: Connection): Socket | undefined {
  const socket = child(tcpOf(connection), 'socket');
  return socket instanceof Socket ? socket : undefined;
}

/** How many bytes written to a socket the system has taken, and how many wait. Node exposes this only on the socket's handle. */
export function sendingOf(socket: Socket): { taken: number; waiting: number } | undefined {
  const handle = child(socket, '_handle');
  if (handle === undefined) return undefined;
  const [written, waiting]: unknown[] = [Reflect.get(handle, 'bytesWritten'), Reflect.get(handle, 'writeQueueSize')];
  return typeof written === 'number' && typeof waiting === 'number' ? { taken: written - waiting, waiting } : undefined;
}

function tcpOf(connection: Connection): object | undefined {
  return child(child(child(connection, 'muxer'), 'maConn'), 'stream');
}

function child(parent: unknown, name: string): object | undefined {
  if (parent === null || (typeof parent !== 'object' && typeof parent !== 'function')) return undefined;
  const value: unknown = Reflect.get(parent, name);
  return (typeof value === 'object' && value !== null) || typeof value === 'function' ? value : undefined;
}
