/** `node tcp-source.ts BYTES`: sends that many bytes to each client, then closes the connection. Prints its port. */
import { type AddressInfo, createServer } from 'node:net';

const bytes = Number(process.argv[2]);
const chunk = Buffer.alloc(256 * 1024, 'dtkd');
const server = createServer((socket) => {
  let left = bytes;
  const send = (): void => {
    while (left > 0) {
      const part = left >= chunk.length ? chunk : chunk.subarray(0, left);
      left -= part.length;
      if (!socket.write(part)) {
        socket.once('drain', send);
        return;
      }
    }
    socket.end();
  };
  socket.on('error', () => socket.destroy());
  send();
});
server.listen(0, '127.0.0.1', () => console.log(`port ${(server.address() as AddressInfo).port}`));
