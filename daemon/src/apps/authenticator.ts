import { lookup as dnsLookup } from 'node:dns';
import { Agent as HttpAgent, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { DtkdError } from '../../../protocol/errors.ts';
import { type EndpointRules, refusedEndpoint } from './endpoint-policy.ts';
import { type ClientFacts, requestFields } from './http/fields.ts';
import type { RequestHead } from './http/head.ts';
import type { Refusal } from './http/refusal.ts';

/** A decision that takes longer counts as unavailable, since a person is waiting for it. */
const DECISION_MS = 5_000;
/** Limit for the body of the answer, which is discarded. A longer one closes the connection. */
const MAX_BODY_BYTES = 64 * 1024;
const MAX_SOCKETS = 64;
const MAX_CHALLENGE = 2_048;

/** Fields that the question does not repeat: those of the request's body, which it does not have, and those of the hop. */
const NOT_ASKED =
  /^(?:host|content-length|content-encoding|content-type|transfer-encoding|expect|te|trailer|connection|upgrade|sec-websocket-.*)$/i;

/**
 * Asks an app's authenticationURL about each request, at the node that owns the app. Sends a GET with the request's own headers, and its
 * method and URI in X-Original-*. 2xx lets the request through; 401 and 403 refuse it; anything else refuses it too, saying that no
 * decision could be had. Follows no redirect. The URL never leads to dtkd itself, and the address checked is the address dialled.
 */
export class Authenticator {
  private readonly rules: () => EndpointRules;
  private readonly http = new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  private readonly https = new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  asked = 0;
  refused = 0;

  constructor(rules: () => EndpointRules) {
    this.rules = rules;
  }

  close(): void {
    this.http.destroy();
    this.https.destroy();
  }

  /** Decides on a request: undefined lets it through. Never throws. */
  async decide(url: string, head: RequestHead, client: ClientFacts): Promise<Refusal | undefined> {
    this.asked += 1;
    const refusal = await this.ask(url, head, client).then(judge, () => unavailable('did not answer'));
    if (refusal !== undefined) this.refused += 1;
    return refusal;
  }

  private async ask(text: string, head: RequestHead, client: ClientFacts): Promise<IncomingMessage> {
    const url = new URL(text);
    const secure = url.protocol === 'https:';
    const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0) this.check(host, port);
    const options: RequestOptions = {
      method: 'GET',
      agent: secure ? this.https : this.http,
      headers: questionHeaders(url, head, client),
      lookup: this.checkedLookup(port),
      timeout: DECISION_MS,
      signal: AbortSignal.timeout(DECISION_MS),
    };
    return await new Promise((resolve, reject) => {
      const request = (secure ? requestHttps : requestHttp)(url, options, (response) => {
        drain(response);
        resolve(response);
      });
      request.on('error', reject);
      request.on('timeout', () => request.destroy(new Error('timed out')));
      request.end();
    });
  }

  private check(address: string, port: number): void {
    const why = refusedEndpoint(address, port, this.rules());
    if (why !== undefined) throw new DtkdError('FORBIDDEN', `${address}:${port} ${why}`);
  }

  private checkedLookup(port: number): LookupFunction {
    return (hostname, options, callback) => {
      dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
        const allowed = (addresses ?? []).filter((entry) => refusedEndpoint(entry.address, port, this.rules()) === undefined);
        const first = allowed[0];
        if (error !== null || first === undefined) {
          callback(error ?? new Error('no address that may be asked'), '', 0);
          return;
        }
        if (options.all === true) callback(null, allowed);
        else callback(null, first.address, first.family);
      });
    };
  }
}

/** The request's own fields as they would go to the origin, without those in NOT_ASKED: name, value, name, value, … */
function questionHeaders(url: URL, head: RequestHead, client: ClientFacts): string[] {
  const out = ['Host', url.host, 'X-Original-Method', head.method, 'X-Original-URI', head.target];
  for (const line of requestFields(head, client, false).split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0 || NOT_ASKED.test(line.slice(0, colon))) continue;
    out.push(line.slice(0, colon), line.slice(colon + 2));
  }
  return out;
}

function drain(response: IncomingMessage): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) response.destroy();
  });
  response.on('error', () => undefined);
}

function unavailable(why: string): Refusal {
  return {
    status: 503,
    code: 'UNAVAILABLE',
    message: `the authentication service of the app ${why}`,
    next: 'Try again; if this lasts, tell the owner of the app.',
  };
}

function judge(response: IncomingMessage): Refusal | undefined {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return undefined;
  if (status !== 401 && status !== 403) return { ...unavailable(`answered ${status}`), status: 502 };
  const challenge = response.headers['www-authenticate'];
  const known = challenge !== undefined && challenge.length <= MAX_CHALLENGE && status === 401;
  return {
    status,
    code: status === 401 ? 'UNAUTHORIZED' : 'FORBIDDEN',
    message: status === 401 ? 'the app wants you to authenticate' : 'the app does not let you in',
    ...(known ? { fields: `WWW-Authenticate: ${challenge}\r\n` } : {}),
  };
}
