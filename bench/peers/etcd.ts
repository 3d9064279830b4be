/** One etcd on loopback, as Debian packages it, with TLS or without; spoken to as JSON over HTTP/1.1 (its gateway) and as gRPC. */
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Child } from '../../test/harness/child.ts';
import { type Answer, fetchText } from '../../test/harness/http.ts';
import { freePort } from '../../test/harness/ports.ts';
import { findProgram } from '../../test/harness/programs.ts';

/** etcd takes so many operations in one transaction. */
const TXN_OPERATIONS = 100;
const FILLERS = 8;

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Files of the certificate with which etcd serves its clients. */
export interface EtcdTls {
  ca: string;
  cert: string;
  key: string;
}

export class Etcd {
  readonly url: string;
  readonly #child: Child;
  readonly #ca: string | undefined;
  readonly #agent: Agent;

  private constructor(url: string, child: Child, ca: string | undefined) {
    this.url = url;
    this.#child = child;
    this.#ca = ca;
    const options = { keepAlive: true, maxSockets: FILLERS };
    this.#agent = ca === undefined ? new Agent(options) : new HttpsAgent(options);
  }

  /** Starts it with its data in `directory`. Without `tls` it serves in the clear. */
  static async start(directory: string, tls?: EtcdTls): Promise<Etcd> {
    const scheme = tls === undefined ? 'http' : 'https';
    const [client, peer] = [`${scheme}://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    const child = new Child({
      command: findProgram('etcd') ?? 'etcd',
      args: [
        ...['--data-dir', directory, '--log-level', 'error', '--listen-peer-urls', peer],
        ...['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...(tls === undefined ? [] : ['--cert-file', tls.cert, '--key-file', tls.key]),
      ],
    });
    const etcd = new Etcd(client, child, tls === undefined ? undefined : await readFile(tls.ca, 'utf8'));
    const healthy = () =>
      etcd.#ask('GET', '/health').then(
        (answer) => answer.body.includes('true'),
        () => false,
      );
    await child.until(healthy, { what: 'etcd to be healthy' });
    return etcd;
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
          const answer = await this.#ask('POST', '/v3/kv/txn', JSON.stringify({ success }));
          if (answer.status !== 200) throw new Error(`etcd: ${answer.body}`);
        }
      }),
    );
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    await this.#child.end('SIGKILL');
  }

  #ask(method: string, path: string, body?: string): Promise<Answer> {
    const { hostname: host, port } = new URL(this.url);
    return fetchText({
      target: { host, port: Number(port) },
      path,
      method,
      agent: this.#agent,
      ...(this.#ca === undefined ? {} : { ca: this.#ca }),
      ...(body === undefined ? {} : { body }),
    });
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
