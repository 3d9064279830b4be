import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { certificateNames, openCertificates, renewCertificate } from '../../../daemon/src/api/listening/certificates.ts';
import { waitFor } from '../../wait.ts';
import { startTestApi } from '../fixtures.ts';

describe('certificates', () => {
  const DAY = 24 * 60 * 60 * 1000;
  const start = Date.parse('2026-01-01T00:00:00Z');
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dtkd-certificates-'));
  });

  afterEach(() => rm(dir, { recursive: true, force: true }));

  const open = (names: string[] = ['node0'], days = 0) => openCertificates({ dir, names, now: () => start + days * DAY });

  it('are made once, for all names, with keys that only their owner reads', async () => {
    const made = await open(['node0', 'Site.Example.org', '10.1.2.3', 'bad_name', '2001:db8::1']);
    expect(await open(['node0', '10.1.2.3'])).toEqual(made);
    const certificate = new X509Certificate(made.cert);
    expect(certificate.subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:node0, DNS:site.example.org, IP Address:10.1.2.3, IP Address:2001:DB8:0:0:0:0:0:1',
    );
    const authority = new X509Certificate(made.ca);
    expect(authority.ca).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.verify(authority.publicKey)).toBe(true);
    for (const name of ['ca.key', 'tls.key']) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
  });

  it('tell of an authority that replaces one which clients may keep, and not of the first', async () => {
    let replaced = 0;
    const authority = async (days = 0): Promise<string> =>
      (await openCertificates({ dir, names: [], now: () => start + days * DAY, onReplaced: () => (replaced += 1) })).ca;
    const first = await authority();
    expect([await authority(), replaced]).toEqual([first, 0]);
    await rm(join(dir, 'ca.key'));
    const second = await authority();
    expect([second === first, replaced]).toEqual([false, 1]);
    await rm(join(dir, 'ca.crt'));
    await rm(join(dir, 'ca.key'));
    await authority();
    expect(replaced, 'tls.crt tells of it').toBe(2);
    await authority(3640);
    expect(replaced).toBe(3);
  });

  it('are renewed before they expire, under the same authority', async () => {
    const first = await open();
    expect(await open(['node0'], 300)).toEqual(first);
    const second = await open(['node0'], 340);
    expect(second.cert).not.toBe(first.cert);
    expect(second.ca).toBe(first.ca);
    const third = await open(['node0'], 3640);
    expect(third.ca).not.toBe(first.ca);
  });

  it('are renewed while the daemon runs, under an authority that only a start replaces', async () => {
    const renew = (days: number) => renewCertificate({ dir, names: ['node0'], now: () => start + days * DAY });
    const first = await open();
    expect(await renew(300)).toBeUndefined();
    const second = await renew(340);
    expect(second).toMatchObject({ ca: first.ca });
    expect(second?.cert).not.toBe(first.cert);
    expect(await renew(341)).toBeUndefined();
    // a clock that jumps far ahead, and comes back
    const third = await renew(4000);
    expect(third).toMatchObject({ ca: first.ca });
    expect(await renew(342)).toMatchObject({ ca: first.ca });
    expect(new X509Certificate((await open(['node0'], 342)).cert).validTo).toContain('2027');
    await rm(join(dir, 'ca.key'));
    expect(await renew(4000)).toBeUndefined();
  });

  it('keep their authority where the machine starts with a clock that is far behind', async () => {
    const first = await open();
    const behind = await open(['node0'], -10_000);
    expect(behind).toEqual(first);
    const later = await open(['node0'], 400);
    expect(later.ca).toBe(first.ca);
    const again = await open(['node0'], -10_000);
    expect(again.ca).toBe(first.ca);
    expect((await open(['node0'], 401)).ca).toBe(first.ca);
  });

  it('are taken by a server that runs, which keeps what is open', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const first = await open(['node0']);
      let days = 0;
      const api = await startTestApi({
        certificate: first,
        renewCertificate: () => renewCertificate({ dir, names: ['node0'], now: () => start + days * DAY }),
      });
      const shown = async () => {
        const socket = connect({ host: '127.0.0.1', port: api.server.port, ca: first.ca, rejectUnauthorized: false });
        await once(socket, 'secureConnect');
        const certificate = socket.getPeerX509Certificate()?.toString();
        return { socket, certificate, protocol: socket.getProtocol() };
      };
      const before = await shown();
      expect(before.certificate).toBe(new X509Certificate(first.cert).toString());
      days = 340;
      await vi.advanceTimersByTimeAsync(60_000);
      const after = await waitFor(
        async () => {
          const one = await shown();
          if (one.certificate !== before.certificate) return one;
          one.socket.destroy();
          return undefined;
        },
        { what: 'the next certificate' },
      );
      expect(after.protocol).toBe(before.protocol);
      before.socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      const [said] = await once(before.socket, 'data');
      expect(String(said)).toContain('200 OK');
      after.socket.destroy();
      await api.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it('are renewed for a new name, and when files are lost, cut short or mixed up', async () => {
    const first = await open();
    const named = await open(['node0', 'other']);
    expect(named.cert).not.toBe(first.cert);
    expect(named.ca).toBe(first.ca);
    await rm(join(dir, 'tls.key'));
    const again = await open(['node0', 'other']);
    expect(again.cert).not.toBe(named.cert);
    await writeFile(join(dir, 'tls.crt'), again.cert.slice(0, 300));
    expect((await open()).cert).not.toBe(again.cert);
    await writeFile(join(dir, 'tls.key'), await readFile(join(dir, 'ca.key')));
    const fixed = await open();
    expect(new X509Certificate(fixed.cert).verify(new X509Certificate(fixed.ca).publicKey)).toBe(true);
    await rm(join(dir, 'ca.key'));
    expect((await open()).ca).not.toBe(first.ca);
  });

  it('stand for all addresses of the machine where the API listens at all', () => {
    expect(certificateNames(['0.0.0.0'])).not.toContain('0.0.0.0');
    expect(certificateNames(['LOCALHOST', '127.0.0.1'])).toEqual(['localhost', '127.0.0.1', '::1']);
  });

  it('that are good are read without loading what makes them', async () => {
    await openCertificates({ dir, names: [] });
    const script = `
      import { openCertificates } from ${JSON.stringify(new URL('../../../daemon/src/api/listening/certificates.ts', import.meta.url).href)};
      import { registerHooks } from 'node:module';
      registerHooks({ resolve(specifier, context, next) { console.log(specifier); return next(specifier, context); } });
      await openCertificates({ dir: ${JSON.stringify(dir)}, names: [] });
      console.log('opened');
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    expect(stdout).toBe('opened\n');
  });
});
