// A small database of keys and values that speaks the protocol of Redis, for machines that have no Redis.
// Arguments: host, port, directory of its data. Standard input: its password, or nothing. Writes its number to var/service.ready once it
// listens, and ends on SIGTERM with all on the disk.
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Journal } from './journal.mjs';
import { answers, Commands } from './resp.mjs';

const MAX_CONNECTIONS = 1_024;
const MAX_KEYS = 1_000_000;
/** Keys and values in sum. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Words of an answer. */
const MAX_LISTED = 10_000;
const IDLE_MS = 300_000;

const [, , host, port, directory] = process.argv;
const password = readFileSync(0, 'utf8').replace(/[\r\n]+$/, '');
const digestOf = (text) => createHash('sha256').update(text).digest();
const wanted = digestOf(password);

/** By the bytes of their keys, as latin1. */
const values = new Map();
const journal = new Journal(directory, values);
let size = 0;
for (const [key, value] of values) size += key.length + value.length;

function put(key, value) {
  const name = key.toString('latin1');
  const before = values.get(name);
  const grown = value.length - (before === undefined ? -name.length : before.length);
  if (size + grown > MAX_BYTES || (before === undefined && values.size >= MAX_KEYS)) return false;
  journal.set(key, value);
  values.set(name, Buffer.from(value));
  size += grown;
  return true;
}

function remove(key) {
  const name = key.toString('latin1');
  const before = values.get(name);
  if (before === undefined) return false;
  journal.remove(key);
  values.delete(name);
  size -= name.length + before.length;
  return true;
}

const FULL = answers.error('OOM the database is full');

function add(key, by) {
  const before = values.get(key.toString('latin1'))?.toString('latin1') ?? '0';
  const sum = /^-?\d{1,18}$/.test(before) && Number.isSafeInteger(by) ? Number(before) + by : Number.NaN;
  if (!Number.isSafeInteger(sum)) return answers.error('ERR value is not an integer or out of range');
  return put(key, Buffer.from(String(sum))) ? answers.number(sum) : FULL;
}

/** By name: how many words they take (after their name, at least), and what they answer. */
const COMMANDS = {
  PING: [0, (text) => (text === undefined ? answers.text('PONG') : answers.bytes(text))],
  ECHO: [1, (text) => answers.bytes(text)],
  SELECT: [1, (index) => (index.toString() === '0' ? answers.ok : answers.error('ERR DB index is out of range'))],
  GET: [1, (key) => (values.has(key.toString('latin1')) ? answers.bytes(values.get(key.toString('latin1'))) : answers.nothing)],
  SET: [2, (key, value, ...rest) => (rest.length > 0 ? answers.error('ERR syntax error') : put(key, value) ? answers.ok : FULL)],
  DEL: [1, (...keys) => answers.number(keys.filter(remove).length)],
  EXISTS: [1, (...keys) => answers.number(keys.filter((key) => values.has(key.toString('latin1'))).length)],
  INCR: [1, (key) => add(key, 1)],
  DECR: [1, (key) => add(key, -1)],
  INCRBY: [2, (key, by) => add(key, Number(by.toString('latin1')))],
  KEYS: [1, () => answers.list([...values.keys()].slice(0, MAX_LISTED).map((key) => Buffer.from(key, 'latin1')))],
  DBSIZE: [0, () => answers.number(values.size)],
  INFO: [0, () => answers.bytes(Buffer.from(`# Keyspace\r\ndb0:keys=${values.size},bytes=${size}\r\n`))],
  COMMAND: [0, () => answers.list([])],
};

class Client {
  #known = password === '';

  answer([word, ...rest]) {
    const name = word.toString('latin1').toUpperCase();
    if (name === 'AUTH') return this.#login(rest);
    if (!this.#known) return answers.error('NOAUTH Authentication required.');
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) return answers.error(`ERR unknown command '${name.replace(/[^A-Z0-9_-]/g, '?').slice(0, 64)}'`);
    const [least, run] = command;
    if (rest.length < least) return answers.error(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
    return run(...rest);
  }

  #login(words) {
    if (password === '') return answers.error('ERR Client sent AUTH, but no password is set.');
    const given = words.at(-1);
    if (given === undefined || !timingSafeEqual(digestOf(given), wanted)) return answers.error('WRONGPASS invalid password.');
    this.#known = true;
    return answers.ok;
  }
}

const sockets = new Set();
const server = createServer((socket) => {
  sockets.add(socket);
  const client = new Client();
  const commands = new Commands();
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => sockets.delete(socket));
  socket.on('drain', () => socket.resume());
  socket.on('data', (bytes) => {
    try {
      for (const words of commands.take(bytes)) {
        if (words[0].toString('latin1').toUpperCase() === 'QUIT') return socket.end(answers.ok);
        if (!socket.write(client.answer(words))) socket.pause();
      }
    } catch (error) {
      socket.end(answers.error(`ERR Protocol error: ${error.message}`));
    }
  });
});
server.maxConnections = MAX_CONNECTIONS;
server.on('error', (error) => {
  console.error(error.code === 'EADDRINUSE' ? `port ${port} of ${host} is in use by something else` : error.message);
  process.exit(1);
});
server.listen({ host, port: Number(port) }, () => writeFileSync('var/service.ready', `${process.pid}\n`));
process.on('SIGTERM', () => {
  server.close();
  for (const socket of sockets) socket.destroy();
  journal.close();
  process.exit(0);
});
