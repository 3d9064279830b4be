/** Serves the reference page and its parts. The page loads nothing from elsewhere, and no other page can embed it. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { Document, type Documents } from '../openapi/documents.ts';
import { answerDocument } from '../openapi/routes.ts';
import type { ApiContext } from '../request/request.ts';
import { PAGE, POLICY, STYLE } from './page.ts';
import { readScript, SCRIPT } from './script.ts';

const ROOT = '/reference/';

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

const page = new Document(Buffer.from(PAGE), 'text/html; charset=utf-8');
const style = new Document(Buffer.from(STYLE), 'text/css; charset=utf-8');
let packed: Promise<Document | undefined> | undefined;

export async function getReference(documents: Documents, c: ApiContext): Promise<Response> {
  const { path } = c.req;
  if (`${path}/` === ROOT) return c.redirect(ROOT, 308);
  const document = await find(documents, path.slice(ROOT.length));
  if (document === undefined) {
    throw new DtkdError('NOT_FOUND', `there is nothing at ${path.slice(0, 253)}`, { next: `The reference page is at ${ROOT}.` });
  }
  return answerDocument(c, document, { headers: HEADERS });
}

async function find(documents: Documents, name: string): Promise<Document | undefined> {
  switch (name) {
    case '':
      return page;
    case 'style.css':
      return style;
    case 'openapi.json':
      return documents.reference();
    case SCRIPT:
      packed ??= script();
      return packed;
    default:
      return undefined;
  }
}

async function script(): Promise<Document> {
  const bytes = await readScript();
  if (bytes !== undefined) return new Document(bytes, 'text/javascript; charset=utf-8');
  throw new DtkdError('NOT_FOUND', `the script of the reference page, ${SCRIPT}, is not installed`, {
    next: 'In a checkout, run npm install; the documents themselves are at /openapi/v3.',
  });
}
