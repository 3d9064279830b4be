/** Frames messages anew for each hop. Pure. */
import type { Framing } from './body.ts';
import { responseFields } from './fields.ts';
import type { RequestHead, ResponseHead } from './head.ts';

/** How the body of a request ends (RFC 9112 §6.3). */
export function requestFraming(head: RequestHead): Framing {
  if (head.chunked) return { kind: 'chunked' };
  return head.contentLength === undefined ? { kind: 'none' } : { kind: 'length', bytes: head.contentLength };
}

/** The header field that declares the framing to the origin. */
export function framingField(framing: Framing): string {
  if (framing.kind === 'chunked') return 'Transfer-Encoding: chunked\r\n';
  return framing.kind === 'length' ? `Content-Length: ${framing.bytes}\r\n` : '';
}

/**
 * True if the upgrade may pass. Refused with a body, and to HTTP/2 without TLS: after that upgrade the proxy would forward requests that it
 * no longer parses, bypassing its routing and the app's authentication.
 */
export function wantsUpgrade(head: RequestHead): boolean {
  if (head.upgrade === undefined || head.version !== '1.1' || head.chunked || (head.contentLength ?? 0) > 0) return false;
  return (
    /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/.test(head.upgrade) && !/^h2c?$|^tls\/|^http\//i.test(head.upgrade)
  );
}

/**
 * The head of a response as sent to the client. `chunks`: the client understands chunked coding; `close`: the connection ends after this
 * response.
 */
export function responseHeadText(head: ResponseHead, framing: Framing, chunks: boolean, close: boolean): string {
  const end = `${responseFraming(head, framing, chunks)}${close ? 'Connection: close\r\n' : ''}\r\n`;
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${responseFields(head, false)}${end}`;
}

function responseFraming(head: ResponseHead, framing: Framing, chunks: boolean): string {
  if (framing.kind === 'none') {
    // The Content-Length of a HEAD or 304 response is kept; a 204 has none.
    const stands = head.status !== 204 && head.contentLength !== undefined;
    return stands ? `Content-Length: ${head.contentLength}\r\n` : '';
  }
  if (framing.kind === 'length') return `Content-Length: ${framing.bytes}\r\n`;
  return chunks ? 'Transfer-Encoding: chunked\r\n' : '';
}
