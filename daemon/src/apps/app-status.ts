/** Computes a dtApp's `status` and `message`, and the contents of a copy. Pure. */
import { APP_LABEL, type AppSelectors, OWNER_LABEL } from '../../../protocol/kinds/dtapp.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import type { OwnApp, RemoteApp } from './app-table.ts';
import type { TunnelPeer } from './ports.ts';
import type { Targets } from './targets.ts';

export interface AppStatus {
  status: 'Ready' | 'NoService' | 'NoEndpoints' | 'NoDomain' | 'NoAuthenticationURL' | 'OwnerAway';
  message: string | undefined;
}

const READY: AppStatus = { status: 'Ready', message: undefined };

/** Status of one of this node's apps. `known` tells whether this node is in a domain. */
export function ownStatus(selectors: AppSelectors, targets: Targets, known: (domain: string) => boolean): AppStatus {
  if (targets.state !== 'Ready') return { status: targets.state, message: targets.message };
  if (selectors.authenticationType === 'Custom' && selectors.authenticationURL === undefined) {
    return { status: 'NoAuthenticationURL', message: 'authenticationType is Custom, but there is no authenticationURL: nobody is let in.' };
  }
  const { domains } = selectors;
  if (domains.length === 0) return { status: 'NoDomain', message: 'The app selects no domain: it can be reached on this node only.' };
  const unknown = domains.filter((domain) => !known(domain));
  const message = unknown.length === 0 ? undefined : `This node is not in ${unknown.map((name) => `"${name}"`).join(', ')}.`;
  return unknown.length === domains.length ? { status: 'NoDomain', message } : { ...READY, message };
}

/** Renders the time since when, for people: RFC 3339 in whole seconds. Empty if it is unknown. */
function sinceText(since: number | undefined): string {
  return since === undefined ? '' : ` since ${new Date(since).toISOString().slice(0, 19)}Z`;
}

/** Says who is away and since when: one sentence without its full stop. */
export function awayText(owner: string, app: string, since: number | undefined): string {
  return `${owner}, which owns the app "${app}", is away${sinceText(since)}`;
}

/** Status of the copy of another node's app. It is Ready even while the owner is idle, because the connection is opened on use. */
export function copyStatus(app: RemoteApp, peer: TunnelPeer | undefined): AppStatus {
  if (peer !== undefined && peer.reach !== 'away') return READY;
  return { status: 'OwnerAway', message: `${awayText(app.namespace, app.name, peer?.since)}.` };
}

const MAX_LABEL = 63;

/** The closest valid label value to the text. */
function labelOf(text: string): string {
  return text.slice(0, MAX_LABEL).replace(/[^A-Za-z0-9]+$/, '');
}

/** The fields that the owner's user wrote. */
function writtenFields(object: ApiObject): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const field of ['serviceSelector', 'domainSelector', 'spec']) if (object[field] !== undefined) out[field] = object[field];
  return out;
}

/** Everything in a copy except the metadata that the store maintains. */
export interface CopyContent {
  labels: Record<string, string>;
  fields: Record<string, unknown>;
}

export function copyContent(app: RemoteApp, status: AppStatus, uri: string): CopyContent {
  return {
    labels: { ...app.object.metadata.labels, [APP_LABEL]: labelOf(app.name), [OWNER_LABEL]: labelOf(app.namespace) },
    fields: { ...writtenFields(app.object), owner: app.namespace, ...serverFields(status, uri) },
  };
}

export function serverFields(status: AppStatus, uri: string): Record<string, unknown> {
  return { URI: uri, status: status.status, ...(status.message === undefined ? {} : { message: status.message }) };
}

/** An own app with its server fields set, or undefined if they are up to date. */
export function withServerFields(app: OwnApp['object'], status: AppStatus, uri: string): ApiObject | undefined {
  if (app['URI'] === uri && app['status'] === status.status && app['message'] === status.message) return undefined;
  const { URI: _uri, status: _status, message: _message, ...rest } = app;
  return { ...rest, apiVersion: app.apiVersion, kind: app.kind, metadata: app.metadata, ...serverFields(status, uri) };
}
