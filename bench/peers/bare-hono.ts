/**
 * `node bare-hono.ts RECORDED CERT KEY`: a Hono application with one handler a path, which answers with bytes that it has, on @hono/node-server over HTTPS.
 * Writes its port.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { recorded } from './recorded.ts';

const [file = '', cert = '', key = ''] = process.argv.slice(2);
const app = new Hono();
for (const { url, headers, body } of z.array(recorded).parse(JSON.parse(await readFile(file, 'utf8')))) {
  const bytes = Buffer.from(body, 'base64');
  const known = Object.fromEntries(headers);
  app.get(url.replace(/\?.*$/, ''), (c) => c.body(bytes, 200, known));
}
serve(
  {
    fetch: app.fetch,
    createServer,
    serverOptions: { cert: await readFile(cert), key: await readFile(key) },
    hostname: '127.0.0.1',
    port: 0,
  },
  ({ port }) => console.log(`port ${port}`),
);
