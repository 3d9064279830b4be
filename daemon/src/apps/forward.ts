import { createServer, type Server, type Socket } from 'node:net';
import { z } from 'zod';
import { DtkdError } from '../../../protocol/errors.ts';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import type { Principal, UserPrincipal } from '../../../protocol/rights/principal.ts';
import type { App, AppTable } from './app-table.ts';
import { pump } from './channel/pump.ts';
import { StreamChannel } from './channel/stream-channel.ts';
import type { HttpProxy } from './http/proxy.ts';
import { listenError } from './ingress.ts';
import type { OwnApps } from './own-apps.ts';
import type { AppAction, ForwardEvent, HostPort } from './ports.ts';
import type { TunnelClient } from './tunnel/tunnel-client.ts';

const DEFAULT_LOCAL = '127.0.0.1:0';
/** The most connections of one forward at once. */
const MAX_CONNECTIONS = 1_024;
/** Events kept for a user who does not read them. The oldest are dropped. */
const MAX_EVENTS = 256;

export interface ForwardOptions {
  name: string;
  namespace?: string;
  local?: string;
  /** Who asked for the forward. Apps of type Capability are used on behalf of that user. */
  principal: Principal;
  signal: AbortSignal;
}

/** Parses `HOST:PORT`, `[v6]:port` or `PORT`. Errors: ADDRESS_INVALID. */
export function parseLocal(text: string): HostPort {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):)?([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new DtkdError('ADDRESS_INVALID', `"${text.slice(0, 80)}" is not a local address`, { next: 'Write HOST:PORT, or a port alone.' });
  }
  return { host: match[1] ?? match[2] ?? '127.0.0.1', port };
}

/** A queue of events for the user. */
class Events implements AsyncIterable<ForwardEvent> {
  private readonly waiting: ForwardEvent[] = [];
  private wake: () => void = () => undefined;
  private over = false;

  push(event: ForwardEvent): void {
    if (this.waiting.length >= MAX_EVENTS) this.waiting.shift();
    this.waiting.push(event);
    this.wake();
  }

  end(): void {
    this.over = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ForwardEvent> {
    for (;;) {
      const event = this.waiting.shift();
      if (event !== undefined) yield event;
      else if (this.over) return;
      else
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
    }
  }
}

/** Local ports that lead to apps, for any TCP protocol, with one tunnel per connection. A forward lives until its signal aborts. */
export class Forwards {
  private readonly table: AppTable;
  private readonly own: OwnApps;
  private readonly tunnels: TunnelClient;
  private readonly proxy: HttpProxy;
  private readonly open = new Set<{ close(): void }>();

  constructor(options: { table: AppTable; own: OwnApps; tunnels: TunnelClient; proxy: HttpProxy }) {
    this.table = options.table;
    this.own = options.own;
    this.tunnels = options.tunnels;
    this.proxy = options.proxy;
  }

  get size(): number {
    return this.open.size;
  }

  closeAll(): void {
    for (const forward of [...this.open]) forward.close();
  }

  /** Errors: NOT_FOUND, AMBIGUOUS, ADDRESS_INVALID, PORT_IN_USE. The first event says where it listens. */
  async create(options: ForwardOptions): Promise<AsyncIterable<ForwardEvent>> {
    const app = this.appNamed(options.name, options.namespace);
    const local = parseLocal(options.local ?? DEFAULT_LOCAL);
    const events = new Events();
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true }, (socket) => {
      sockets.add(socket);
      events.push({ connections: sockets.size });
      socket.once('close', () => {
        sockets.delete(socket);
        events.push({ connections: sockets.size });
      });
      // By id: the app may have been changed or removed since the forward began.
      void this.connect(app.id, socket, sockets.size, events, options.principal);
    });
    const bound = await listen(server, local);
    const forward = {
      close: () => {
        this.open.delete(forward);
        server.close();
        for (const socket of sockets) socket.resetAndDestroy();
        events.end();
      },
    };
    this.open.add(forward);
    if (options.signal.aborted) forward.close();
    else options.signal.addEventListener('abort', forward.close, { once: true });
    events.push({ listening: bound });
    return events;
  }

  private appNamed(name: string, namespace: string | undefined): App {
    const found = this.table.find(name, namespace);
    const app = found[0];
    if (app === undefined) throw new DtkdError('NOT_FOUND', `there is no app "${name}"`, { next: 'See "dtkd get dtapps".' });
    if (found.length > 1) {
      const owners = found.map((one) => (one.kind === 'remote' ? one.namespace : 'this node'));
      throw new DtkdError('AMBIGUOUS', `several nodes have an app "${name}": ${owners.slice(0, 8).join(', ')}`, {
        next: 'Name its copy (the 32 digits that "dtkd get dtapps" shows), or its owner with -n.',
      });
    }
    return app;
  }

  private async connect(id: string, socket: Socket, count: number, events: Events, principal: Principal): Promise<void> {
    socket.on('error', () => undefined);
    const channel = new StreamChannel(socket);
    try {
      if (count > MAX_CONNECTIONS) throw new DtkdError('TOO_MANY_REQUESTS', 'the forward has too many connections');
      const app = this.table.byId(id);
      if (app === undefined) throw new DtkdError('NOT_FOUND', 'the app was removed');
      if (app.kind === 'own' && app.selectors.authenticationType === 'Custom') {
        const route = () => this.own.route(app);
        this.proxy.serve(channel, { address: '127.0.0.1' }, route);
        return;
      }
      const far = app.kind === 'own' ? await this.own.dial(app) : await this.tunnels.open(app, undefined, userFor(app, principal));
      if (channel.closed) far.abort();
      else pump(channel, far);
    } catch (error) {
      const known = error instanceof DtkdError ? error : new DtkdError('UNAVAILABLE', 'the app could not be reached');
      events.push({ error: known.message, code: known.code });
      channel.abort();
    }
  }
}

/**
 * The user on whose behalf a tunnel is opened. The operator has rights on this node only, and so cannot use another node's app of type
 * Capability.
 */
function userFor(app: App, principal: Principal): UserPrincipal | undefined {
  if (app.selectors.authenticationType !== 'Capability') return undefined;
  if (principal.type === 'user') return principal;
  throw new DtkdError(
    'FORBIDDEN',
    `the app "${app.name}" is for users who have REQUEST on it; the operator's token counts on this node only`,
    {
      next: "Use a user's token (dtkd user add NAME) and ask the owner of the app for REQUEST.",
    },
  );
}

function listen(server: Server, at: HostPort): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, at, 'the forward')));
    server.listen(at.port, at.host, () => {
      server.on('error', () => undefined);
      const bound = server.address();
      if (typeof bound !== 'object' || bound === null) reject(new DtkdError('INTERNAL', 'the forward has no address'));
      else resolve(bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`);
    });
  });
}

const forwardBody = z.object({ local: z.string().max(80).optional() }).nullish();

/** Subresources of dtApps for the API: `POST …/dtapps/{name}/forward`. */
export function appActions(forwards: Forwards): ReadonlyMap<string, AppAction> {
  const forward: AppAction = async (request) => {
    if (request.method !== 'POST') throw new DtkdError('METHOD_NOT_ALLOWED', 'use POST to make a forward');
    const body = forwardBody.safeParse(request.body);
    if (!body.success) throw new DtkdError('INVALID', 'a forward takes {"local": "HOST:PORT"}');
    const local = body.data?.local;
    const options = { name: request.name, namespace: request.namespace, principal: request.principal, signal: request.signal };
    return { stream: await forwards.create(local === undefined ? options : { ...options, local }) };
  };
  return new Map([[`${dtAppKind.group}/${dtAppKind.plural}/forward`, forward]]);
}
