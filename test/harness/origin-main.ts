/**
 * A real HTTP service to share, run as a process of its own: `node origin-main.ts HOST NAME [PORT]`. Bodies, echo, downloads of any size made
 * as they are sent, an upload sink, server-sent events, a WebSocket echo, responses that never end, and beside it a TCP echo.
 * Writes one line of JSON with its ports when it listens.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { WebSocketServer } from 'ws';

const CHUNK = Buffer.alloc(64 * 1024, 'dtkd');
const EVENT_INTERVAL_MS = 20;

const [host = '127.0.0.1', name = 'origin', port = '0'] = process.argv.slice(2);
const stats = { requests: 0, aborted: 0, uploaded: 0, open: 0 };

type Route = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => void | Promise<void>;

const routes: Record<string, Route> = {
  '/': (_request, response) => text(response, `hello from ${name}\n`),
  '/stats': (_request, response) => json(response, stats),
  '/headers': (request, response) => json(response, request.headers),
  '/kib': (_request, response) => text(response, 'x'.repeat(1024)),
  '/echo': (request, response) => {
    response.writeHead(200, { 'content-type': request.headers['content-type'] ?? 'application/octet-stream' });
    request.pipe(response);
  },
  '/bytes': (_request, response, query) => download(response, Number(query.get('n') ?? 0)),
  '/sink': async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      stats.uploaded += (chunk as Buffer).length;
    }
    json(response, { bytes });
  },
  '/events': (_request, response, query) => events(response, Number(query.get('n') ?? Number.POSITIVE_INFINITY)),
  '/hang': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write('begun\n');
  },
  '/status': (_request, response, query) => {
    response.writeHead(Number(query.get('code') ?? 200));
    response.end();
  },
};

function text(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function download(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes });
  let left = bytes;
  const send = (): void => {
    while (left > 0) {
      const part = left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left);
      left -= part.length;
      if (!response.write(part)) {
        response.once('drain', send);
        return;
      }
    }
    response.end();
  };
  send();
}

function events(response: ServerResponse, count: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  let id = 0;
  const timer = setInterval(() => {
    id += 1;
    response.write(`id: ${id}\ndata: tick ${id} of ${name}\n\n`);
    if (id >= count) response.end();
  }, EVENT_INTERVAL_MS);
  response.once('close', () => clearInterval(timer));
}

const server = createServer((request, response) => {
  stats.requests += 1;
  stats.open += 1;
  response.once('close', () => {
    stats.open -= 1;
    if (!response.writableFinished) stats.aborted += 1;
  });
  const url = new URL(request.url ?? '/', 'http://origin');
  const route = routes[url.pathname];
  if (route === undefined) {
    response.writeHead(404).end(`${name} has no ${url.pathname}\n`);
    return;
  }
  Promise.resolve(route(request, response, url.searchParams)).catch(() => response.destroy());
});

const sockets = new WebSocketServer({ server, path: '/ws' });
sockets.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  socket.on('error', () => socket.terminate());
});

const tcp = createTcpServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});

function listening(of: Server, at = 0): Promise<number> {
  return new Promise((resolve) => of.listen(at, host, () => resolve((of.address() as AddressInfo).port)));
}

console.log(JSON.stringify({ port: await listening(server, Number(port)), tcpPort: await listening(tcp) }));
