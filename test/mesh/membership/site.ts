/** Nodes in memory that join one another by encoded messages, as over a stream, for tests of membership. */
import { randomBytes } from 'node:crypto';
import { createDomain } from '../../../daemon/src/mesh/membership/create-domain.ts';
import { adoptMembership, type DomainMembership, openMembership } from '../../../daemon/src/mesh/membership/domain-membership.ts';
import { checkProof, makeEnrolment, makeOffer } from '../../../daemon/src/mesh/membership/join-attempt.ts';
import { KeyStore } from '../../../daemon/src/mesh/membership/key-store.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import type { PeerKey } from '../../../protocol/ids.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import { decodeJoinMessage, encodeJoinMessage, ItemCollector, type JoinMessage } from '../../../protocol/membership/join.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import { memoryKv } from '../../store/memory-kv.ts';

/** A clock that tests move by hand. */
export interface Clock {
  ms: number;
}

export interface Site {
  name: string;
  kv: Kv;
  key: SigningKey;
  clock: Clock;
  membership: DomainMembership;
}

export const START_MS = 1_700_000_000_000;

export async function foundSite(name = 'node0', domain = 'mydomain'): Promise<Site & { recoveryKey: string; root: SigningKey }> {
  const kv = memoryKv();
  const key = generateSigningKey();
  const clock = { ms: START_MS };
  const founding = createDomain({ name: domain, nodeName: name, self: key.publicKey, now: clock.ms });
  const secrets = new KeyStore(kv).secretsOf(founding.domain);
  const membership = await adoptMembership({
    kv,
    domain: founding.domain,
    self: key,
    rootKey: founding.root,
    secrets,
    now: () => clock.ms,
    items: [founding.genesis],
    alongside: secrets.rootOps(founding.root),
  });
  return { name, kv, key, clock, membership, recoveryKey: founding.recoveryKey, root: founding.root };
}

export async function token(founder: Site, options: { uses?: number; expiresMs?: number; replace?: string } = {}): Promise<string> {
  return (await founder.membership.invite({ ...options, hints: ['127.0.0.1:7701'] })).token;
}

export interface JoinOptions {
  replace?: string;
  key?: SigningKey;
  clock?: Clock;
  /** The answer gets lost: the joiner learns nothing. */
  loseAnswer?: boolean;
  /** Called between the admitter's messages and the joiner. */
  tamper?: (message: JoinMessage) => JoinMessage;
}

/** Joins through `admitter` as the protocol says, every message encoded and decoded. */
export async function join(name: string, admitter: Site, text: string, options: JoinOptions = {}): Promise<Site> {
  const { clock = { ms: admitter.clock.ms }, key = generateSigningKey(), tamper = (message) => message } = options;
  const parsed = parseToken(text);
  const offer = send(tamper(makeOffer(parsed, clock.ms, Uint8Array.from(randomBytes(16)))), 'offer');
  const proof = new ItemCollector();
  for (const message of admitter.membership.answerOffer(offer, key.publicKey)) proof.add(send(message, 'proof'));
  await checkProof(parsed, proof.items, admitter.key.publicKey);
  const enrol = send(tamper(makeEnrolment(parsed, key, { name, replace: options.replace })), 'enrol');
  const welcome = new ItemCollector();
  for (const message of await admitter.membership.admit(offer, enrol, key.publicKey)) welcome.add(send(message, 'welcome'));
  if (options.loseAnswer === true) throw new Error('the answer got lost');
  const kv = memoryKv();
  const membership = await adoptMembership({ kv, domain: parsed.domain, self: key, now: () => clock.ms, items: welcome.items });
  return { name, kv, key, clock, membership };
}

function send<T extends JoinMessage['type']>(message: JoinMessage, type: T): Extract<JoinMessage, { type: T }> {
  const received = decodeJoinMessage(encodeJoinMessage(message));
  if (!isOfType(received, type)) throw new Error(`expected ${type}, got ${received.type}`);
  return received;
}

function isOfType<T extends JoinMessage['type']>(message: JoinMessage, type: T): message is Extract<JoinMessage, { type: T }> {
  return message.type === type;
}

/** Exchanges all items between sites until nothing is new to anybody, as hello does. */
export async function exchange(...sites: Site[]): Promise<void> {
  for (let news = true; news; ) {
    news = false;
    for (const from of sites) {
      for (const to of sites) {
        if (from === to || from.membership.digest() === to.membership.digest()) continue;
        const missing = from.membership.items().filter(({ id }) => !to.membership.has(id));
        const { added } = await to.membership.add(missing.map(({ bytes }) => bytes));
        if (added.length > 0) news = true;
      }
    }
  }
}

export async function reopen(site: Site): Promise<DomainMembership> {
  return openMembership({ kv: site.kv, domain: site.membership.domain, self: site.key, now: () => site.clock.ms });
}

/** Names of the live members as shown, sorted. */
export function shownNames(site: Site): string[] {
  return [...site.membership.state().members.values()].map(({ displayName }) => displayName).sort();
}

export function nameOf(site: Site, key: PeerKey): string | undefined {
  return site.membership.state().members.get(key)?.displayName;
}
