/**
 * `node static-https.ts RECORDED CERT KEY`: an HTTPS server that says again what was recorded, out of memory, and 404 to all else. As little as a server in
 * Node can do. Writes its port, and a line for each request that was not recorded.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { recorded, recordedKey } from './recorded.ts';

const [file = '', cert = '', key = ''] = process.argv.slice(2);
const answers = new Map(
  z
    .array(recorded)
    .parse(JSON.parse(await readFile(file, 'utf8')))
    .map((each) => {
      const body = Buffer.from(each.body, 'base64');
      const headers = { ...Object.fromEntries(each.headers), 'content-length': body.length };
      return [recordedKey(each), { status: each.status, headers, body }] as const;
    }),
);
const server = createServer({ cert: await readFile(cert), key: await readFile(key) }, (incoming, outgoing) => {
  const { method = 'GET', url = '/', headers } = incoming;
  incoming.resume();
  const answer = answers.get(recordedKey({ method, url, accept: headers.accept ?? '' }));
  if (answer === undefined) {
    console.log(`unknown ${method} ${url} ${headers.accept ?? ''}`);
    outgoing.writeHead(404).end();
  } else {
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  }
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`));
