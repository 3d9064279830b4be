/** What the API offers for dtDomains and dtPeers beyond storing them: kind handlers and subresources. Keeps no state. */
import type { z } from 'zod';
import { DtkdError } from '../../../../protocol/errors.ts';
import { parsePeerId } from '../../../../protocol/ids.ts';
import { dtDomainSchema } from '../../../../protocol/kinds/dtdomain.ts';
import { dtPeerSchema } from '../../../../protocol/kinds/dtpeer.ts';
import { parseToken, type Token } from '../../../../protocol/membership/token.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { inviteRequest, joinRequest, leaveRequest, recoveryKey, rootKey } from '../../../../protocol/requests/domain.ts';
import { alreadyIn } from '../already-in.ts';
import type { DomainView, InviteView, Mesh } from '../mesh.types.ts';
import type { DomainController } from './domain-controller.ts';
import { withFields } from './domain-view.ts';

/** The latest time that a Date can represent. */
const LAST_TIME_MS = 8.64e15;

/** The parts of the API's extension types that are used here (the API layer is not imported). */
interface WriteContext {
  dryRun: boolean;
  warn(text: string): void;
}
interface ActionRequest {
  name: string;
  rest: readonly string[];
  method: 'GET' | 'POST' | 'DELETE';
  body: unknown;
  signal: AbortSignal;
}

export interface DomainApiOptions {
  mesh: Mesh;
  controller: DomainController;
}

export function domainHandlers({ mesh, controller }: DomainApiOptions) {
  const dtDomain = {
    async create(object: ApiObject, context: WriteContext): Promise<ApiObject | { handled: ApiObject }> {
      const name = object.metadata.name;
      const peer = dtDomainSchema.parse(object).spec?.peer;
      const existing = mesh.domain(name);
      if (existing !== undefined) throw alreadyIn(existing);
      if (peer !== undefined) {
        checkToken(name, peer.inviteToken);
        return withFields(object, { status: 'Joining', message: `joining through ${peer.address}` });
      }
      if (context.dryRun) return object;
      const { domain, recoveryKey } = await controller.found(name);
      context.warn(`Recovery key of ${name}, shown only now; keep it offline, it alone can replace a lost root: ${recoveryKey}`);
      return { handled: domain };
    },
    async update(object: ApiObject, previous: ApiObject): Promise<ApiObject> {
      const before = dtDomainSchema.parse(previous).spec?.peer;
      const after = dtDomainSchema.parse(object).spec?.peer;
      if (mesh.domain(object.metadata.name) !== undefined || after === undefined || JSON.stringify(before) === JSON.stringify(after))
        return object;
      checkToken(object.metadata.name, after.inviteToken);
      return withFields(object, { status: 'Joining', message: `joining through ${after.address}` });
    },
    async delete(object: ApiObject, context: WriteContext): Promise<undefined | { handled: ApiObject }> {
      if (context.dryRun) return undefined;
      controller.joiner.cancel(object.metadata.name);
      if (mesh.domain(object.metadata.name) === undefined) return undefined;
      await mesh.leave(object.metadata.name);
      await controller.refresh();
      return { handled: object };
    },
  };
  const dtPeer = {
    async delete(object: ApiObject, context: WriteContext): Promise<{ handled: ApiObject }> {
      const peer = dtPeerSchema.parse(object);
      if (peer.dtDomain === undefined || peer.id === undefined) throw new DtkdError('INTERNAL', 'the dtPeer names no domain');
      if (mesh.domain(peer.dtDomain)?.holdsRoot !== true) {
        throw new DtkdError('NOT_FOUNDER', `only the node that holds the root key of ${peer.dtDomain} can remove a member`, {
          next: `Run "dtkd delete dtpeer ${object.metadata.name}" on ${mesh.domain(peer.dtDomain)?.founderName ?? 'that node: there "dtkd domain show" says that it may remove'}.`,
        });
      }
      if (!context.dryRun) {
        await mesh.removePeer(peer.dtDomain, parsePeerId(peer.id));
        await controller.refresh();
      }
      return { handled: object };
    },
  };
  return { dtDomain, dtPeer };
}

function checkToken(name: string, text: string): Token {
  const token = parseToken(text);
  if (token.domainName !== name) {
    throw new DtkdError('TOKEN_WRONG_DOMAIN', `the invite token is for the domain ${token.domainName}, not ${name}`, {
      next: `Name the dtDomain ${token.domainName}, or use a token of ${name}.`,
    });
  }
  return token;
}

/** Actions that bring a dtDomain into being. */
const MAKING = new Set(['create', 'join']);

interface DomainAction {
  (request: ActionRequest): Promise<unknown>;
  /** True if it brings the dtDomain into being: see the `Action` of the API. */
  makes?: boolean;
}

/** Subresources of a dtDomain by their first path segment. */
export function domainActions({ mesh, controller }: DomainApiOptions): Map<string, DomainAction> {
  const actions: Record<string, (request: ActionRequest) => Promise<unknown>> = {
    create: async (request) => controller.found(allow(request, 'POST').name),
    join: async (request) => {
      const { address, token, replace } = parse(joinRequest, allow(request, 'POST').body);
      const { domain } = checkToken(request.name, token);
      const there = mesh.domain(request.name);
      // Idempotent: asking again succeeds too.
      if (there?.id === domain && there.state !== 'Removed' && there.state !== 'Leaving')
        return { domain: await controller.shown(request.name, domain), already: true };
      let elsewhere: { address: string; failure: string } | undefined;
      const joined = await controller.join(request.name, address, token, {
        signal: request.signal,
        ...(replace === undefined ? {} : { replace }),
        onElsewhere: (told) => {
          elsewhere = told;
        },
      });
      return { domain: joined, ...(elsewhere === undefined ? {} : { elsewhere }) };
    },
    leave: async (request) => {
      const force = parse(leaveRequest, allow(request, 'POST').body)?.force ?? false;
      controller.joiner.cancel(request.name);
      await mesh.leave(known(request.name).name, { force });
      await controller.refresh();
      return {};
    },
    invites: async (request) => {
      const { name } = known(request.name);
      if (request.method === 'GET') return { items: (await mesh.invites(name)).map(shownInvite) };
      if (request.method === 'DELETE') {
        await mesh.revokeInvite(name, one(request.rest));
        await controller.refresh();
        return {};
      }
      const body = parse(inviteRequest, request.body);
      const invite = await mesh.invite(name, {
        ...(body?.uses === undefined ? {} : { uses: body.uses }),
        ...(body?.expires === undefined ? {} : { expiresMs: body.expires }),
        ...(body?.replace === undefined ? {} : { replace: body.replace }),
      });
      await controller.refresh();
      return shownInvite(invite);
    },
    root: async (request) => {
      const { name } = known(allow(request, 'POST').name);
      switch (one(request.rest)) {
        case 'export':
          return { rootKey: await mesh.exportRoot(name) };
        case 'import':
          await mesh.importRoot(name, parse(rootKey, request.body).rootKey);
          break;
        case 'rotate': {
          const rotated = await mesh.rotateRoot(name, parse(recoveryKey, request.body).recoveryKey);
          await controller.refresh();
          return rotated;
        }
        default:
          throw new DtkdError('NOT_FOUND', 'a root can be exported, imported or rotated');
      }
      await controller.refresh();
      return {};
    },
    members: async (request) => shownDomain(known(allow(request, 'GET').name)),
    names: async (request) => {
      const [node = '', verb] = allow(request, 'POST').rest;
      if (verb !== 'free') throw new DtkdError('NOT_FOUND', 'a name can be freed: names/NODE/free');
      await mesh.freeName(known(request.name).name, node);
      return {};
    },
    clear: async (request) => {
      await mesh.clear(known(allow(request, 'POST').name).name, parsePeerId(one(request.rest)));
      return {};
    },
  };
  return new Map(
    Object.entries(actions).map(([name, action]) => [name, MAKING.has(name) ? Object.assign(action, { makes: true }) : action]),
  );

  function known(name: string) {
    const view = mesh.domain(name);
    if (view === undefined)
      throw new DtkdError('NOT_FOUND', `this node is in no domain named ${name.slice(0, 80)}`, { next: 'See "dtkd domain ls".' });
    return view;
  }
}

function shownInvite(invite: InviteView) {
  return { ...invite, expires: timeText(invite.expires) };
}

function shownDomain(view: DomainView) {
  return { ...view, peers: view.peers.map((peer) => ({ ...peer, since: peer.since === undefined ? undefined : timeText(peer.since) })) };
}

/** A time in the format of all answers. An invite may hold a time beyond what a Date can represent. */
function timeText(milliseconds: number): string {
  return new Date(Math.min(milliseconds, LAST_TIME_MS)).toISOString();
}

function allow(request: ActionRequest, method: ActionRequest['method']): ActionRequest {
  if (request.method !== method) throw new DtkdError('METHOD_NOT_ALLOWED', `use ${method} here`);
  return request;
}

function one(rest: readonly string[]): string {
  const [first] = rest;
  if (first === undefined || rest.length !== 1) throw new DtkdError('NOT_FOUND', 'there is no such subresource');
  return first;
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new DtkdError('INVALID', `${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'invalid'}`);
}
