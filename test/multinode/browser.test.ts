import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BROWSER_MS, launchBrowser, NO_BROWSER } from '../harness/browser.ts';
import { appDocument, formDomain, serviceDocuments } from '../harness/domain.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();
const DOMAIN = 'town';
/** An app, and one of somebody else whose pages are hostile. */
const APPS = ['wiki', 'evil'];

/** Asks another app for something in all the ways that a page has; ends when each was answered. */
const SUBREQUESTS = (uri: string) => `(async () => {
  const element = (tag) => new Promise((resolve) => {
    const made = Object.assign(document.createElement(tag), { onload: resolve, onerror: resolve, src: '${uri}/' + tag });
    document.body.append(made);
  });
  const socket = new Promise((resolve) => { new WebSocket('${uri.replace('http', 'ws')}/socket').onerror = resolve; });
  const asked = (method) => fetch('${uri}/' + method, { mode: 'no-cors', credentials: 'include', method });
  await Promise.all([asked('GET'), asked('POST'), socket, ...['img', 'script', 'iframe'].map(element)]);
})()`;
const FORM = (uri: string) => `(() => {
  const made = Object.assign(document.createElement('form'), { method: 'POST', action: '${uri}/form' });
  document.body.append(made);
  made.submit();
})()`;

describe.skipIf(NO_BROWSER)(`apps side by side in a browser${NO_BROWSER === undefined ? '' : ` (SKIPPED: ${NO_BROWSER})`}`, () => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const origins: Server[] = [];
  const uris: Record<string, string> = {};
  /** What has reached the origin of the wiki, but for icons. */
  let reached: IncomingMessage[] = [];

  beforeAll(async () => {
    const site = await stage.current.start({ name: 'node0' });
    await formDomain(DOMAIN, [site]);
    for (const name of APPS) {
      await Promise.all(serviceDocuments(name, { host: '127.0.0.1', port: await origin(name) }).map((document) => site.create(document)));
      await site.create(appDocument(name, [DOMAIN]));
      uris[name] = await waitFor(async () => (await site.get('dtapp', name))?.['URI'], { what: `the URI of ${name}` }).then(String);
    }
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    for (const server of origins) server.close();
  });
  beforeEach(async () => {
    context = await browser.newContext();
    page = await context.newPage();
    page.setDefaultTimeout(BROWSER_MS);
    reached = [];
  });
  afterEach(() => context.close());

  /** Says in its headers what its address asks for. */
  async function origin(name: string): Promise<number> {
    const server = createServer((request, response) => {
      if (name === 'wiki' && request.url !== '/favicon.ico') reached.push(request);
      for (const [field, value] of new URL(request.url ?? '/', 'http://localhost').searchParams) response.appendHeader(field, value);
      response.setHeader('content-type', 'text/html').end(name);
    });
    origins.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  it('keep their cookies to themselves, whatever another one says', async () => {
    await page.goto(`${uris['wiki']}/?set-cookie=${encodeURIComponent('session=wiki; HttpOnly')}`);
    const evil = ['set-cookie=wide%3D1;Domain%3Dnode0.dtkd.localhost', 'clear-site-data=%22cookies%22', 'clear-site-data=%22*%22'];
    for (const query of evil) await page.goto(`${uris['evil']}/?${query}`);
    await page.goto(`${uris['wiki']}/`);
    expect(reached.at(-1)?.headers.cookie).toBe('session=wiki');
  });

  it('get nothing from pages of another one but that a person goes there', async () => {
    const wiki = uris['wiki'] ?? '';
    await page.goto(`${uris['evil']}/`);
    await page.evaluate(SUBREQUESTS(wiki));
    expect(reached.map(({ url }) => url)).toEqual([]);
    const [form] = await Promise.all([page.waitForResponse(`${wiki}/form`), page.evaluate(FORM(wiki))]);
    await page.waitForURL(`${wiki}/form`);
    expect([form.status(), reached.length]).toEqual([403, 0]);
    await page.goto(`${uris['evil']}/`);
    await Promise.all([page.waitForURL(`${wiki}/link`), page.evaluate(`location.assign('${wiki}/link')`)]);
    expect(reached.map(({ url }) => url)).toEqual(['/link']);
  });
});
