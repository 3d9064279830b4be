/**
 * Stands between a client and a site and keeps what is asked and what is answered, byte for byte, for `static-https.ts` to say again. Serves with the
 * certificate of the site.
 */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Site } from '../../test/harness/site.ts';
import { type Recorded, recordedKey } from './recorded.ts';

/** Headers that belong to one connection, or that the server writes. */
const HOP_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date']);

export interface Recorder {
  url: string;
  /** What was asked and answered so far; of equal requests the last. */
  recorded(): Recorded[];
  close(): Promise<void>;
}

export async function startRecorder(site: Site): Promise<Recorder> {
  const [cert, key, ca] = await Promise.all(['tls.crt', 'tls.key', 'ca.crt'].map((name) => readFile(join(site.dir, name))));
  const answers = new Map<string, Recorded>();
  const server = createServer({ cert, key }, async (incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const body = await buffer(incoming);
    const { host: _host, connection: _connection, ...passed } = headers;
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(new URL(url, site.apiUrl), { method, headers: passed, ca, agent: false }, resolve);
      sent.once('error', reject);
      sent.end(body);
    });
    const bytes = await buffer(answer);
    const kept = Object.entries(answer.headers).flatMap(([name, value]): [string, string][] =>
      value === undefined || HOP_HEADERS.has(name) ? [] : [[name, String(value)]],
    );
    const status = answer.statusCode ?? 0;
    const asked = { method, url, accept: headers.accept ?? '' };
    answers.set(recordedKey(asked), { ...asked, status, headers: kept, body: bytes.toString('base64') });
    outgoing.writeHead(status, Object.fromEntries(kept)).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    recorded: () => [...answers.values()],
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
