/**
 * The local certificate authority and the API's server certificate, in the data directory: `ca.crt`, `ca.key`, `tls.crt`,
 * `tls.key`. Makes them at the first start. Makes a new server certificate when the present one will soon expire, lacks a name, or
 * does not match its key or authority. Clients keep the authority, so a clock that is behind, or that jumps while the daemon runs,
 * does not replace it. A start with good certificates only reads four small files; the code that makes certificates is loaded when
 * needed.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { KeyPair } from './certificate-maker.ts';
import type { Certificates } from './certificates.types.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Clients keep the authority in their kubeconfig, so it lives as long as an installation. */
const CA_LIFE_MS = 3650 * DAY_MS;
/** Short enough for every client's rules on server certificates (398 days at most). */
const SERVER_LIFE_MS = 365 * DAY_MS;
/** Renewed when less than this is left: the authority at startup, the server certificate at any time. */
const RENEW_BEFORE_MS = 30 * DAY_MS;
/** Certificates begin a little in the past, for clients whose clock is behind. */
const BACKDATE_MS = 60 * 60 * 1000;

/** Files that show that an authority was in use: if any of them exists, clients may have it. */
const CA_TRACES = ['ca.crt', 'ca.key', 'tls.crt'];
const ALWAYS = ['localhost', '127.0.0.1', '::1'];
const WILDCARDS = ['0.0.0.0', '::'];
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

export interface CertificateOptions {
  /** The data directory. */
  dir: string;
  /** Host names and addresses of the API besides the loopback ones; a wildcard address stands for all of this machine's. */
  names: readonly string[];
  now?: () => number;
}

/**
 * Reads the certificates, or makes them. Calls `onReplaced` when it replaces an authority that clients may have, because it will
 * soon expire or its files are lost or damaged.
 */
export async function openCertificates({
  dir,
  names,
  now = Date.now,
  onReplaced,
}: CertificateOptions & { onReplaced?: () => void }): Promise<Certificates> {
  const wanted = certificateNames(names);
  const time = now();
  let ca = await readPair(dir, 'ca');
  if (ca === undefined || !isLasting(ca, time)) {
    if (CA_TRACES.some((name) => existsSync(join(dir, name)))) onReplaced?.();
    const { makeAuthority } = await import('./certificate-maker.ts');
    ca = await makeAuthority({ notBefore: time - BACKDATE_MS, notAfter: time + CA_LIFE_MS });
    await writePair(dir, 'ca', ca);
  }
  const { cert, key } = (await keptServer(dir, ca, wanted, time)) ?? (await nextServer(dir, ca, wanted, time));
  return { ca: ca.cert, cert, key };
}

/**
 * Returns a new server certificate under the present authority if the one in the directory is no longer good; else undefined.
 * Errors: DATA_UNWRITABLE.
 */
export async function renewCertificate({ dir, names, now = Date.now }: CertificateOptions): Promise<Certificates | undefined> {
  const ca = await readPair(dir, 'ca');
  if (ca === undefined) return undefined;
  const time = now();
  // names are checked only at startup: addresses of this machine come and go, and are no reason to make a new certificate
  if ((await keptServer(dir, ca, [], time)) !== undefined) return undefined;
  const { cert, key } = await nextServer(dir, ca, certificateNames(names), time);
  return { ca: ca.cert, cert, key };
}

async function keptServer(dir: string, ca: KeyPair, names: readonly string[], time: number): Promise<KeyPair | undefined> {
  const server = await readPair(dir, 'tls');
  if (server === undefined || !isIssuedBy(server, ca) || !covers(server, names)) return undefined;
  return hasBegun(server, beginUnder(ca, time)) && isLasting(server, beginUnder(ca, time)) ? server : undefined;
}

async function nextServer(dir: string, ca: KeyPair, names: readonly string[], time: number): Promise<KeyPair> {
  const { makeServerCertificate } = await import('./certificate-maker.ts');
  const begin = beginUnder(ca, time);
  const server = await makeServerCertificate(ca, { notBefore: begin - BACKDATE_MS, notAfter: begin + SERVER_LIFE_MS, names });
  await writePair(dir, 'tls', server);
  return server;
}

/** The present time, or the beginning of the authority's validity if the clock is behind that and cannot be trusted. */
function beginUnder(ca: KeyPair, time: number): number {
  return Math.max(time, Date.parse(new X509Certificate(ca.cert).validFrom) + BACKDATE_MS);
}

/** The names for the certificate, without duplicates, and without any that is neither a DNS name nor an address. */
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

function hasBegun({ cert }: KeyPair, time: number): boolean {
  return Date.parse(new X509Certificate(cert).validFrom) <= time;
}

function isLasting({ cert, key }: KeyPair, time: number): boolean {
  const parsed = new X509Certificate(cert);
  return Date.parse(parsed.validTo) - time >= RENEW_BEFORE_MS && parsed.checkPrivateKey(createPrivateKey(key));
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

/** Undefined if either file is missing or damaged; the pair is then made anew. */
async function readPair(dir: string, name: string): Promise<KeyPair | undefined> {
  try {
    const [cert, key] = await Promise.all([readFile(join(dir, `${name}.crt`), 'utf8'), readFile(join(dir, `${name}.key`), 'utf8')]);
    new X509Certificate(cert);
    createPrivateKey(key);
    return { cert, key };
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM')) {
      throw new DtkdError('DATA_UNWRITABLE', `the certificate files in ${dir} cannot be read`, {
        next: 'Give them to the user that runs dtkd, or delete them: dtkd makes new ones.',
        cause: error,
      });
    }
    return undefined;
  }
}

/** Writes the key first: a certificate whose key is not there yet does not match it, and is made again. */
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
