/**
 * A TCP proxy in front of an API, for everything that networks do to connections: it cuts them, in the middle of a line too, and holds bytes back.
 * Knows nothing of what it carries.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class TroubledLine {
  readonly #server: Server;
  readonly #open = new Set<{ near: Socket; far: Socket }>();
  #stalled = false;
  /** Bytes towards the client after which each connection is cut; undefined: never. */
  #cutAfter: (() => number) | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `target` is asked for each connection, since the address behind it may change. */
  static async open(target: () => { host: string; port: number }): Promise<TroubledLine> {
    const server = createServer();
    const line = new TroubledLine(server);
    server.on('connection', (near) => line.#carry(near, connect(target())));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return line;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `https://127.0.0.1:${port}`;
  }

  get connections(): number {
    return this.#open.size;
  }

  /** Breaks every connection that is open. */
  cut(): void {
    for (const { near, far } of this.#open) {
      near.destroy();
      far.destroy();
    }
  }

  /** From now on connections are cut after so many bytes, wherever that is. */
  cutAfter(bytes: (() => number) | undefined): void {
    this.#cutAfter = bytes;
  }

  /** Nothing that the API says gets through; connections stay open. */
  stall(): void {
    this.#stalled = true;
    for (const { far } of this.#open) far.pause();
  }

  flow(): void {
    this.#stalled = false;
    for (const { far } of this.#open) far.resume();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #carry(near: Socket, far: Socket): void {
    const pair = { near, far };
    this.#open.add(pair);
    const end = () => {
      this.#open.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on('error', end).on('close', end).setNoDelay(true);
    let left = this.#cutAfter?.() ?? Number.POSITIVE_INFINITY;
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes: Buffer) => {
      near.write(bytes.subarray(0, Math.min(left, bytes.length)));
      left -= bytes.length;
      if (left <= 0) near.destroySoon();
    });
    // the client's reading is the pace
    near.on('drain', () => !this.#stalled && far.resume());
    far.on('data', () => near.writableLength > 65_536 && far.pause());
    if (this.#stalled) far.pause();
  }
}
