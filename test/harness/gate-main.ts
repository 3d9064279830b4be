/**
 * A door into a network namespace, run inside it: `node gate-main.ts`. Each line of JSON on its input, `{"path", "host", "port"}`, makes
 * it listen on that unix socket (the file system is shared, the network is not) and pipe to that address; it answers each with a line.
 */
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const order = z.object({ path: z.string(), host: z.string(), port: z.number() });

for await (const line of createInterface({ input: process.stdin })) {
  const { path, host, port } = order.parse(JSON.parse(line));
  const server = createServer({ allowHalfOpen: true }, (outer) => {
    const inner = connect({ host, port, allowHalfOpen: true });
    inner.on('error', () => outer.destroy());
    outer.on('error', () => inner.destroy());
    inner.on('close', () => outer.destroy());
    outer.on('close', () => inner.destroy());
    outer.pipe(inner);
    inner.pipe(outer);
  });
  server.listen(path, () => console.log(`open ${path}`));
}
