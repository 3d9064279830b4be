/** How messages are framed on their way through: written anew for each hop. Pure. */
import type { Framing } from './body.ts';
import { responseFields } from './fields.ts';
import type { RequestHead, ResponseHead } from './head.ts';

/** How the body of a request ends (RFC 9112 §6.3). */
export function requestFraming(head: RequestHead): Framing {
  if (head.chunked) return { kind: 'chunked' };
  return head.contentLength === undefined ? { kind: 'none' } : { kind: 'length', bytes: head.contentLength };
}

/** The field that says so to the origin. */
export function framingField(framing: Framing): string {
  if (framing.kind === 'chunked') return 'Transfer-Encoding: chunked\r\n';
  return framing.kind === 'length' ? `Content-Length: ${framing.bytes}\r\n` : '';
}

/**
 * True if the upgrade goes through. Not with a body, and not to HTTP/2 without TLS: once that is agreed the proxy would carry requests that
 * it no longer reads, past its routing and past the app's authentication.
 */
export function wantsUpgrade(head: RequestHead): boolean {
  if (head.upgrade === undefined || head.version !== '1.1' || head.chunked || (head.contentLength ?? 0) > 0) return false;
  return (
    /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/.test(head.upgrade) && !/^h2c?$|^tls\/|^http\//i.test(head.upgrade)
  );
}

/** The head of a response as the client gets it. `chunks`: the client takes them; `close`: the connection ends after it. */
export function responseHeadText(head: ResponseHead, framing: Framing, chunks: boolean, close: boolean): string {
  const end = `${responseFraming(head, framing, chunks)}${close ? 'Connection: close\r\n' : ''}\r\n`;
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${responseFields(head, false)}${end}`;
}

function responseFraming(head: ResponseHead, framing: Framing, chunks: boolean): string {
  if (framing.kind === 'none') {
    // What a HEAD or a 304 says of a length stands; a 204 has none.
    const stands = head.status !== 204 && head.contentLength !== undefined;
    return stands ? `Content-Length: ${head.contentLength}\r\n` : '';
  }
  if (framing.kind === 'length') return `Content-Length: ${framing.bytes}\r\n`;
  return chunks ? 'Transfer-Encoding: chunked\r\n' : '';
}
