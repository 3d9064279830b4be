import { fieldOf, type RequestHead } from './head.ts';

const SAFE = new Set(['GET', 'HEAD']);

/**
 * True if a page of another site made the browser send this request. Apps of different owners share one suffix, so `same-site` counts as
 * another site here. Top-level navigations pass. Browsers that do not send `Sec-Fetch-Site` (over plain http, or old ones) are judged by
 * Origin, where the request could change something.
 */
export function isCrossSite(head: RequestHead): boolean {
  const site = fieldOf(head, 'sec-fetch-site')?.toLowerCase();
  if (site === 'same-origin' || site === 'none') return false;
  if (site !== undefined) return !isNavigation(head);
  const origin = fieldOf(head, 'origin')?.toLowerCase();
  if (origin === undefined || (SAFE.has(head.method) && head.upgrade === undefined)) return false;
  return origin.replace(/^(?:https?|wss?):\/\//, '') !== head.authority.toLowerCase();
}

function isNavigation(head: RequestHead): boolean {
  return (
    SAFE.has(head.method) &&
    head.upgrade === undefined &&
    fieldOf(head, 'sec-fetch-mode')?.toLowerCase() === 'navigate' &&
    fieldOf(head, 'sec-fetch-dest')?.toLowerCase() === 'document'
  );
}
