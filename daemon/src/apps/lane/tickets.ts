import { randomBytes, timingSafeEqual } from 'node:crypto';
import { DtkdError } from '../../../../protocol/errors.ts';
import { TICKET_BYTES, TICKET_TTL_MS } from '../../../../protocol/peers/tunnel.ts';
import type { Author } from '../ports.ts';

/** Unused tickets per member: as many lanes as a busy ingress opens at once. */
const MAX_PER_MEMBER = 128;

interface Pending {
  from: Author;
  certificate: Buffer;
  expires: number;
}

/** Single-use tickets that bind a TLS connection to the Noise connection over which they were issued. */
export class Tickets {
  private readonly pending = new Map<string, Pending>();
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  /** Errors: TOO_MANY_REQUESTS. */
  issue(from: Author, certificate: Uint8Array): Buffer {
    this.expire();
    let held = 0;
    for (const entry of this.pending.values()) if (entry.from.peer === from.peer && entry.from.domain === from.domain) held += 1;
    if (held >= MAX_PER_MEMBER) throw new DtkdError('TOO_MANY_REQUESTS', 'too many fast lanes are being opened at once');
    const ticket = randomBytes(TICKET_BYTES);
    this.pending.set(ticket.toString('hex'), { from, certificate: Buffer.from(certificate), expires: this.now() + TICKET_TTL_MS });
    return ticket;
  }

  /** True if any member of the domain may open a lane now. */
  expected(domain: string): boolean {
    this.expire();
    for (const entry of this.pending.values()) if (entry.from.domain === domain) return true;
    return false;
  }

  /** Uses up a ticket, whatever the result. Undefined unless it is valid for this certificate and domain. */
  redeem(ticket: Uint8Array, certificate: Uint8Array, domain: string): Author | undefined {
    this.expire();
    const key = Buffer.from(ticket).toString('hex');
    const entry = this.pending.get(key);
    this.pending.delete(key);
    if (entry === undefined || entry.from.domain !== domain || certificate.length !== entry.certificate.length) return undefined;
    return timingSafeEqual(entry.certificate, certificate) ? entry.from : undefined;
  }

  private expire(): void {
    const time = this.now();
    for (const [key, entry] of this.pending) {
      // Tickets are issued in order, so the rest expire later.
      if (entry.expires > time) return;
      this.pending.delete(key);
    }
  }
}
