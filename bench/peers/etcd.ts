/** One etcd on loopback, as Debian packages it, without TLS; spoken to as JSON over HTTP/1.1 (its gateway) and as gRPC. */
import { join } from 'node:path';
import { Child } from '../../test/harness/child.ts';
import { freePort } from '../../test/harness/ports.ts';
import { findProgram } from '../../test/harness/programs.ts';

/** etcd takes so many operations in one transaction. */
const TXN_OPERATIONS = 100;
const FILLERS = 8;

const base64 = (text: string): string => Buffer.from(text).toString('base64');

export class Etcd {
  readonly url: string;
  readonly #child: Child;

  private constructor(url: string, child: Child) {
    this.url = url;
    this.#child = child;
  }

  static async start(directory: string): Promise<Etcd> {
    const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    const child = new Child({
      command: findProgram('etcd') ?? 'etcd',
      args: [
        ...['--data-dir', join(directory, 'etcd'), '--log-level', 'error', '--listen-peer-urls', peer],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ],
    });
    const healthy = () =>
      fetch(`${client}/health`).then(
        async (response) => (await response.text()).includes('true'),
        () => false,
      );
    await child.until(healthy, { what: 'etcd to be healthy' });
    return new Etcd(client, child);
  }

  /** Puts `total` keys below `prefix`, in no hurry. */
  async fill(prefix: string, total: number, value: string): Promise<void> {
    let next = 0;
    await Promise.all(
      Array.from({ length: FILLERS }, async () => {
        while (next < total) {
          const from = next;
          next += TXN_OPERATIONS;
          const indexes = Array.from({ length: Math.min(TXN_OPERATIONS, total - from) }, (_, index) => from + index);
          const success = indexes.map((index) => ({
            requestPut: { key: base64(`${prefix}${String(index).padStart(8, '0')}`), value: base64(value) },
          }));
          const response = await fetch(`${this.url}/v3/kv/txn`, { method: 'POST', body: JSON.stringify({ success }) });
          if (!response.ok) throw new Error(`etcd: ${await response.text()}`);
          await response.arrayBuffer();
        }
      }),
    );
  }

  async close(): Promise<void> {
    await this.#child.end('SIGKILL');
  }
}

/** The body of a gRPC call of KV/Put: a frame with one PutRequest. */
export function putFrame(key: string, value: string): Buffer {
  const message = Buffer.concat([bytesField(1, key), bytesField(2, value)]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function bytesField(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}
