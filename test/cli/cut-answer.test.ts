import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { readLines, readText } from '../../cli/client/https.ts';

/** A server that begins its answer, and is killed. */
async function begun(text: string): Promise<{ message: IncomingMessage; kill(): void }> {
  const server = createServer((_, response) => void response.write(text));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const message = await new Promise<IncomingMessage>((resolve) => get({ host: '127.0.0.1', port }, resolve));
  return {
    message,
    kill() {
      server.closeAllConnections();
      server.close();
    },
  };
}

it('says of a daemon that ends within its answer that it is gone, after all that had come', async () => {
  const { message, kill } = await begun('{"name":"ü"}\n{"na');
  const lines = readLines(message);
  expect(await lines.next()).toEqual({ done: false, value: { name: 'ü' } });
  const next = lines.next();
  kill();
  await expect(next).rejects.toMatchObject({ code: 'DAEMON_UNREACHABLE', next: expect.stringContaining('dtkd doctor') });
});

it('says the same of an answer that is read as a whole', async () => {
  const { message, kill } = await begun('{"items":[');
  const text = readText(message);
  kill();
  await expect(text).rejects.toMatchObject({ code: 'DAEMON_UNREACHABLE', exitStatus: 9 });
});
