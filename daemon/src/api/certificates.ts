/**
 * The local certificate authority and the API's server certificate, in the data directory: `ca.crt`, `ca.key`, `tls.crt`, `tls.key`.
 * Makes them at first start; makes a new server certificate when the present one will soon expire, lacks a name, or does not fit its
 * key or authority. Starting with good certificates only reads four small files: the code that makes certificates is loaded when it
 * is needed.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Certificates } from './api.types.ts';
import type { KeyPair } from './certificate-maker.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Clients keep the authority in their kubeconfig, so it lives as long as an installation does. */
const CA_LIFE_MS = 3650 * DAY_MS;
/** Short enough for every client's rules on server certificates (398 days at most). */
const SERVER_LIFE_MS = 365 * DAY_MS;
/** Renewed at a start when less than this is left. */
const RENEW_BEFORE_MS = 30 * DAY_MS;
/** Certificates begin a little in the past, for clients whose clock is behind. */
const BACKDATE_MS = 60 * 60 * 1000;

const ALWAYS = ['localhost', '127.0.0.1', '::1'];
const WILDCARDS = ['0.0.0.0', '::'];
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

export interface CertificateOptions {
  /** The data directory. */
  dir: string;
  /** Host names and addresses of the API beside the loopback ones; a wildcard address stands for all of this machine's. */
  names: readonly string[];
  now?: () => number;
}

export async function openCertificates({ dir, names, now = Date.now }: CertificateOptions): Promise<Certificates> {
  const wanted = certificateNames(names);
  const time = now();
  let ca = await readPair(dir, 'ca');
  if (ca === undefined || !isUsable(ca, time)) {
    const { makeAuthority } = await import('./certificate-maker.ts');
    ca = await makeAuthority({ notBefore: time - BACKDATE_MS, notAfter: time + CA_LIFE_MS });
    await writePair(dir, 'ca', ca);
  }
  let server = await readPair(dir, 'tls');
  if (server === undefined || !isUsable(server, time) || !isIssuedBy(server, ca) || !covers(server, wanted)) {
    const { makeServerCertificate } = await import('./certificate-maker.ts');
    server = await makeServerCertificate(ca, { notBefore: time - BACKDATE_MS, notAfter: time + SERVER_LIFE_MS, names: wanted });
    await writePair(dir, 'tls', server);
  }
  return { ca: ca.cert, cert: server.cert, key: server.key };
}

/** The names that stand in the certificate, without doubles and without what is neither a DNS name nor an address. */
export function certificateNames(names: readonly string[]): string[] {
  const all = names.flatMap((name) => (WILDCARDS.includes(name) ? machineAddresses() : [name.toLowerCase()]));
  return [...new Set([...ALWAYS, ...all])].filter((name) => isIP(name) !== 0 || DNS_NAME.test(name));
}

function machineAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map((entry) => entry.address)
    .filter((address) => !/^fe80:/i.test(address));
}

function isUsable({ cert, key }: KeyPair, time: number): boolean {
  const parsed = new X509Certificate(cert);
  if (Date.parse(parsed.validFrom) > time || Date.parse(parsed.validTo) - time < RENEW_BEFORE_MS) return false;
  return parsed.checkPrivateKey(createPrivateKey(key));
}

function isIssuedBy(server: KeyPair, ca: KeyPair): boolean {
  const authority = new X509Certificate(ca.cert);
  const parsed = new X509Certificate(server.cert);
  return parsed.checkIssued(authority) && parsed.verify(authority.publicKey);
}

function covers(server: KeyPair, names: readonly string[]): boolean {
  const parsed = new X509Certificate(server.cert);
  return names.every((name) => (isIP(name) === 0 ? parsed.checkHost(name) : parsed.checkIP(name)) !== undefined);
}

/** Undefined if either file is missing or is not what it should be: it is then made anew. */
async function readPair(dir: string, name: string): Promise<KeyPair | undefined> {
  try {
    const [cert, key] = await Promise.all([readFile(join(dir, `${name}.crt`), 'utf8'), readFile(join(dir, `${name}.key`), 'utf8')]);
    new X509Certificate(cert);
    createPrivateKey(key);
    return { cert, key };
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM')) {
      throw new DtkdError('DATA_UNWRITABLE', `the certificate files in ${dir} cannot be read`, {
        next: 'Give them to the user that runs dtkd, or delete them to have new ones made.',
        cause: error,
      });
    }
    return undefined;
  }
}

/** The key goes first: a certificate whose key is not there yet is noticed and made again. */
async function writePair(dir: string, name: string, { cert, key }: KeyPair): Promise<void> {
  try {
    await writeWhole(join(dir, `${name}.key`), key, 0o600);
    await writeWhole(join(dir, `${name}.crt`), cert, 0o644);
  } catch (cause) {
    throw new DtkdError('DATA_UNWRITABLE', `the certificate files in ${dir} cannot be written`, {
      next: 'Give the user that runs dtkd write access to the data directory.',
      cause,
    });
  }
}

async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  await writeFile(`${file}.new`, text, { mode, flush: true });
  await rename(`${file}.new`, file);
}
