import type { AuditDisk, AuditFile } from '../../../daemon/src/access/audit/audit-disk.ts';

/** An audit log's files in memory, to be looked into, changed, and made to refuse. */
export class MemoryDisk implements AuditDisk {
  readonly files = new Map<string, Buffer>();
  /** Thrown by every write while it is set; of the bytes of a write a half is taken, as a full disk does. */
  failure: Error | undefined;
  syncs = 0;
  writes = 0;

  async list(): Promise<string[]> {
    return [...this.files.keys()].sort();
  }

  async open(name: string): Promise<AuditFile> {
    if (this.failure !== undefined) throw this.failure;
    if (!this.files.has(name)) this.files.set(name, Buffer.alloc(0));
    return this.#file(name);
  }

  async openToRead(name: string): Promise<AuditFile> {
    if (!this.files.has(name)) throw new Error(`there is no ${name}`);
    return this.#file(name);
  }

  async remove(name: string): Promise<void> {
    this.files.delete(name);
  }

  /** As a disk is copied. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [name, bytes] of this.files) copy.files.set(name, Buffer.from(bytes));
    return copy;
  }

  bytes(name: string): Buffer {
    return this.files.get(name) ?? Buffer.alloc(0);
  }

  #file(name: string): AuditFile {
    const put = (bytes: Uint8Array, at: number): void => {
      const before = this.bytes(name);
      const grown = Buffer.alloc(Math.max(before.length, at + bytes.length));
      before.copy(grown);
      grown.set(bytes, at);
      this.files.set(name, grown);
    };
    return {
      size: async () => this.bytes(name).length,
      read: async (at, length) => Uint8Array.from(this.bytes(name).subarray(at, at + length)),
      write: async (bytes, at) => {
        if (this.failure !== undefined) {
          put(bytes.subarray(0, bytes.length >> 1), at);
          throw this.failure;
        }
        this.writes += 1;
        put(bytes, at);
      },
      truncate: async (size) => {
        this.files.set(name, this.bytes(name).subarray(0, size));
      },
      sync: async () => {
        if (this.failure !== undefined) throw this.failure;
        this.syncs += 1;
      },
      close: async () => {},
    };
  }
}
