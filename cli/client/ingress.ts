import { request as httpRequest, type IncomingMessage } from 'node:http';
import { DtkdError } from '../../protocol/errors.ts';
import { numberAt, textAt } from '../json.ts';
import type { ApiClient } from './api.ts';
import type { AppInfo } from './apps.ts';
import { isThisMachine } from './listening.ts';

export interface IngressRequest {
  uri: string;
  /** Path with query; default: that of the URI. */
  path?: string;
  method: string;
  headers: Record<string, string | string[]>;
  body?: Buffer;
}

const ANY_ADDRESS = new Set(['0.0.0.0', '::', '']);

/** The address at which the daemon's ingress can be dialled from here. */
export async function ingressOf(client: ApiClient, uri: string): Promise<{ host: string; port: number }> {
  const status = await client.daemon('GET', 'status').catch((error: unknown) => {
    // only the operator may read the status; for users the port in the URI is enough
    if (error instanceof DtkdError && error.code === 'FORBIDDEN') return { ingress: { host: '', port: Number(new URL(uri).port || 80) } };
    throw error;
  });
  const text = textAt(status, 'ingress') ?? '';
  const url = URL.canParse(text.includes('://') ? text : `http://${text}`)
    ? new URL(text.includes('://') ? text : `http://${text}`)
    : undefined;
  const host = (textAt(status, 'ingress', 'host') ?? url?.hostname ?? '').replace(/^\[|\]$/g, '');
  const port = numberAt(status, 'ingress', 'port') ?? Number(url?.port || 80);
  if (url === undefined && numberAt(status, 'ingress', 'port') === undefined)
    throw new DtkdError('UNAVAILABLE', 'the daemon has no ingress');
  return { host: ANY_ADDRESS.has(host) ? client.https.connection.url.hostname.replace(/^\[|\]$/g, '') : host, port };
}

/**
 * Headers that let a user in to an app for users: the user's token, as long as it does not leave this machine unencrypted. Never the
 * operator's token.
 */
export async function loginOf(client: ApiClient, app: AppInfo): Promise<Record<string, string>> {
  const { url, token } = client.https.connection;
  if (app.authenticationType !== 'Capability' || !isThisMachine(url)) return {};
  const me = await client.daemon('GET', 'whoami');
  return textAt(me, 'type') === 'user' ? { authorization: `Bearer ${token}` } : {};
}

/** Sends a request to an app through the ingress, whatever DNS says of the app's name. Resolves with the head of the answer. */
export function requestApp(ingress: { host: string; port: number }, request: IngressRequest): Promise<IncomingMessage> {
  const uri = new URL(request.uri);
  const named = Object.keys(request.headers).some((name) => name.toLowerCase() === 'host');
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      ...ingress,
      method: request.method,
      path: request.path ?? `${uri.pathname}${uri.search}`,
      headers: { ...(named ? {} : { host: uri.host }), ...request.headers },
      agent: false,
    });
    outgoing.on('response', resolve);
    outgoing.on('error', (error) => {
      reject(
        new DtkdError(
          'UNAVAILABLE',
          `the ingress at ${ingress.host}:${ingress.port} does not answer (${textAt(error, 'code') ?? error.message})`,
          { cause: error },
        ),
      );
    });
    outgoing.end(request.body);
  });
}
