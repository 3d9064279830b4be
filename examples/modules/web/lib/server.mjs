// A small web server: the files of htdocs, and in its pages, in place of <!-- database -->, what the database says that it was linked to.
// Arguments: the port, HOST:PORT of the database or nothing. Standard input: the password of the database, which so stands in no list of processes.
// Listens on this machine only. Writes its number to var/service.ready once it listens, and ends on SIGTERM when it has answered what it was asked.
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { extname, join, resolve, sep } from 'node:path';

const ROOT = resolve('htdocs');
/** The database has so long to answer. */
const DATABASE_MS = 2_000;
/** More than this is no answer to what is asked here. */
const MAX_ANSWER_BYTES = 4_096;
/** Connections that are still open when it is to end are cut after this. */
const GRACE_MS = 5_000;
const KINDS = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript', '.json': 'application/json' };

const [, , port, database] = process.argv;
const password = readFileSync(0, 'utf8').replace(/[\r\n]+$/, '');

const escaped = (text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
/** A command as Redis and its like take it. */
const command = (...words) => `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

/** Counts a visit in the database; resolves with the number. */
function countVisit() {
  const at = database.lastIndexOf(':');
  const lines = password === '' ? 1 : 2;
  return new Promise((done, fail) => {
    const socket = connect({ host: database.slice(0, at), port: Number(database.slice(at + 1)) });
    let answer = '';
    const end = (error, value) => {
      socket.destroy();
      if (error === undefined) done(value);
      else fail(error);
    };
    socket.setEncoding('latin1');
    socket.setTimeout(DATABASE_MS, () => end(new Error('it does not answer')));
    socket.on('error', (error) => end(error));
    socket.on('end', () => end(new Error('it hung up')));
    socket.on('connect', () => socket.write((password === '' ? '' : command('AUTH', password)) + command('INCR', 'visits')));
    socket.on('data', (text) => {
      answer += text;
      if (answer.length > MAX_ANSWER_BYTES) return end(new Error('it answers something else'));
      const got = answer.split('\r\n').slice(0, -1);
      const refusal = got.find((line) => line.startsWith('-'));
      if (refusal !== undefined) return end(new Error(refusal.slice(1)));
      if (got.length < lines) return;
      const number = /^:(\d+)$/.exec(got[lines - 1]);
      end(number === null ? new Error('it answers something else') : undefined, number?.[1]);
    });
  });
}

async function aboutDatabase() {
  if (database === undefined || database === '') return '';
  try {
    return `<p>Database ${escaped(database)}: visit ${await countVisit()}.</p>`;
  } catch (error) {
    return `<p>Database ${escaped(database)} does not help: ${escaped(error.message)}.</p>`;
  }
}

async function answer({ method, url }) {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, kind: '.txt', body: 'GET and HEAD only\n' };
  let path;
  try {
    path = decodeURIComponent(new URL(url, 'http://host').pathname);
  } catch {
    return { status: 400, kind: '.txt', body: 'not a path\n' };
  }
  if (path === '/healthz') return { status: 200, kind: '.txt', body: 'ok\n' };
  const file = join(ROOT, path.endsWith('/') ? `${path}index.html` : path);
  const found = file.startsWith(ROOT + sep) && !file.includes('\0') ? await readFile(file).catch(() => undefined) : undefined;
  if (found === undefined) return { status: 404, kind: '.txt', body: 'there is no such page\n' };
  const kind = extname(file);
  if (kind !== '.html' || method === 'HEAD' || !found.includes('<!-- database -->')) return { status: 200, kind, body: found };
  const about = await aboutDatabase();
  return { status: 200, kind, body: found.toString('utf8').replace('<!-- database -->', () => about) };
}

const server = createServer(async (request, response) => {
  const { status, kind, body } = await answer(request);
  const headers = { 'content-type': KINDS[kind] ?? 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(request.method === 'HEAD' ? undefined : body);
});
server.on('error', (error) => {
  console.error(error.code === 'EADDRINUSE' ? `port ${port} is in use by something else` : error.message);
  process.exit(1);
});
server.listen({ host: '127.0.0.1', port: Number(port) }, () => writeFile('var/service.ready', `${process.pid}\n`));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  setTimeout(() => process.exit(0), GRACE_MS).unref();
});
