/** `node tcp-sink.ts PORT`: connects, reads to the end, and writes how many bytes came in how many seconds, from the first byte on. */
import { connect } from 'node:net';

const socket = connect({ host: '127.0.0.1', port: Number(process.argv[2]) });
let bytes = 0;
let first: number | undefined;
socket.on('data', (chunk) => {
  first ??= performance.now();
  bytes += chunk.length;
});
socket.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
socket.on('end', () => {
  console.log(JSON.stringify({ bytes, seconds: (performance.now() - (first ?? performance.now())) / 1000 }));
  socket.destroy();
});
