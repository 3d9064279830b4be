// Asks a database whether it is well. Arguments: host and port. Standard input: its password, or nothing. Exit status 1 if it does not answer as it should.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { commandBytes } from './resp.mjs';

const PATIENCE_MS = 5_000;
const [, , host, port] = process.argv;
const password = readFileSync(0, 'utf8').replace(/[\r\n]+$/, '');

function end(status, text) {
  console.log(text);
  process.exit(status);
}

const socket = connect({ host, port: Number(port) });
let answer = '';
socket.setTimeout(PATIENCE_MS, () => end(1, `it does not answer within ${PATIENCE_MS / 1_000} seconds`));
socket.on('error', (error) => end(1, `it does not answer: ${error.message}`));
socket.on('end', () => end(1, 'it hung up'));
socket.on('connect', () => {
  if (password !== '') socket.write(commandBytes(['AUTH', password]));
  socket.write(commandBytes(['PING']));
});
socket.on('data', (bytes) => {
  answer += bytes.toString('latin1');
  const refusal = /^-(.*)\r\n/m.exec(answer)?.[1];
  if (refusal !== undefined) end(1, `it refuses: ${refusal}`);
  if (answer.includes('+PONG\r\n')) end(0, `it answers at ${host}:${port}`);
});
