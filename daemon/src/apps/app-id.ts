import { createHash } from 'node:crypto';

/**
 * The 32 hex digits that name an app on one node: the copy's name and the first label of its URI. The author's key is part of it, so that a
 * member cannot take another's copy by using its uid. `author` is empty for the node's own apps.
 */
export function appId(author: string, originUid: string, node: string): string {
  return createHash('sha256').update(`dtkd/app-copy\n${author}\n${originUid}\n${node}`).digest('hex').slice(0, 32);
}

/** A uid for a copy, in the form of other uids. */
export function copyUid(id: string): string {
  const hex = createHash('sha256').update(`dtkd/app-copy-uid\n${id}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const HTTP_PORT = 80;

/** Where an app is reached through a node's ingress. */
export function appUri(id: string, node: { name: string; suffix: string }, ingressPort: number): string {
  const host = `${id}.${node.name}.${node.suffix}`;
  return ingressPort === HTTP_PORT ? `http://${host}` : `http://${host}:${ingressPort}`;
}

/** The app's id in a Host (lower case, no port), or undefined if the host is not of the form of this node's app addresses. */
export function idOfHost(host: string, node: { name: string; suffix: string }): string | undefined {
  const rest = `.${node.name}.${node.suffix}`.toLowerCase();
  if (host.length !== 32 + rest.length || !host.endsWith(rest)) return undefined;
  return host.slice(0, 32);
}
