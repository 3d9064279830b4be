/** Two haproxy processes with TLS between them: what one would put between two sites by hand. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child } from '../../test/harness/child.ts';
import { freePort } from '../../test/harness/ports.ts';
import { findProgram } from '../../test/harness/programs.ts';
import type { Site } from '../../test/harness/site.ts';
import { accepts } from './ssh.ts';

const DEFAULTS = `
global
  log stderr format raw daemon emerg
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
`;

export interface HaproxyPair {
  port: number;
  close(): Promise<void>;
}

/** Near proxy → TLS → far proxy → origin. The certificate is the one of a site, made a minute ago. */
export async function haproxyPair(directory: string, origin: number, certificateOf: Site): Promise<HaproxyPair> {
  const [near, far] = [await freePort(), await freePort()];
  const pem = join(directory, 'haproxy.pem');
  const parts = await Promise.all(['tls.crt', 'tls.key'].map((name) => readFile(join(certificateOf.dir, name), 'utf8')));
  await writeFile(pem, parts.join('\n'), { mode: 0o600 });
  const nearConfig = join(directory, 'near.cfg');
  const farConfig = join(directory, 'far.cfg');
  await writeFile(
    nearConfig,
    `${DEFAULTS}\nfrontend in\n  bind 127.0.0.1:${near}\n  default_backend out\nbackend out\n  server far 127.0.0.1:${far} ssl verify required ca-file ${join(certificateOf.dir, 'ca.crt')}\n`,
  );
  await writeFile(
    farConfig,
    `${DEFAULTS}\nfrontend in\n  bind 127.0.0.1:${far} ssl crt ${pem}\n  default_backend out\nbackend out\n  server origin 127.0.0.1:${origin}\n`,
  );
  const children = [farConfig, nearConfig].map(
    (config) => new Child({ command: findProgram('haproxy') ?? 'haproxy', args: ['-db', '-f', config] }),
  );
  const [farChild, nearChild] = children;
  await farChild?.until(() => accepts(far), { what: 'the far haproxy to listen' });
  await nearChild?.until(() => accepts(near), { what: 'the near haproxy to listen' });
  return {
    port: near,
    close: async () => {
      await Promise.all(children.map((child) => child.end('SIGTERM')));
    },
  };
}
