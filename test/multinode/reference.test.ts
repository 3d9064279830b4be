import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { KINDS } from '../../protocol/kinds/index.ts';
import { BROWSER_MS, launchBrowser, NO_BROWSER } from '../harness/browser.ts';
import { run } from '../harness/child.ts';
import { findProgram, missing } from '../harness/programs.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';

const stage = useStage();
const NO_CURL = missing(['curl', 'bash']);

const document = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
});
const sampled = z.object({ 'x-codeSamples': z.tuple([z.object({ source: z.string() })]) });

let site: Site;
beforeAll(async () => {
  site = await stage.current.start({ name: 'node0' });
});

describe.skipIf(NO_BROWSER)(`the reference page in a browser${NO_BROWSER === undefined ? '' : ` (SKIPPED: ${NO_BROWSER})`}`, () => {
  let browser: Browser;
  let page: Page;
  const asked: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1300, height: 900 } });
    page = await context.newPage();
    page.setDefaultTimeout(BROWSER_MS);
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${site.apiUrl}/reference/`);
  });
  afterAll(() => browser?.close());

  it('shows every kind, and how to begin', async () => {
    await page.getByText('Each operation has an example').first().waitFor();
    for (const { kind } of KINDS) {
      const entry = page.locator('[part~="section-navbar-tag"]').filter({ hasText: new RegExp(`^\\s*${kind}\\s*$`) });
      await expect.poll(() => entry.count(), { timeout: BROWSER_MS, message: `${kind} in the navigation` }).toBeGreaterThan(0);
    }
  });

  it('shows an operation with its fields and with what to type', async () => {
    await page.goto(`${site.apiUrl}/reference/#post-/apis/sid.sightlineinnovation.com/v1/namespaces/-namespace-/dtapps`);
    await page.getByText('Create a dtApp').last().waitFor();
    await page.getByText('serviceSelector').first().waitFor();
    await page.getByText('$DTKD_DATA/ca.crt').first().waitFor();
  });

  it('asks nobody but the daemon, and has nothing to complain of', () => {
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.filter((url) => !url.startsWith(`${site.apiUrl}/reference/`) && !url.startsWith('data:'))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});

describe.skipIf(NO_CURL)(`the examples for curl${NO_CURL === undefined ? '' : ` (SKIPPED: ${NO_CURL})`}`, () => {
  it('do what they say', async () => {
    const { paths } = document.parse(await site.call('/reference/openapi.json'));
    const sample = (method: string, path: string): string => sampled.parse(paths[path]?.[method])['x-codeSamples'][0].source;
    const models = '/apis/dtkd.dev/v1/namespaces/{namespace}/models';
    const scripts = [
      sample('get', '/readyz'),
      sample('post', models),
      sample('get', models),
      sample('patch', `${models}/{name}`),
      sample('put', `${models}/{name}`),
      sample('get', `${models}/{name}`),
      sample('get', '/apis/dtkd.dev/v1/daemon/status'),
      sample('delete', `${models}/{name}`),
      sample('post', '/apis/sid.sightlineinnovation.com/v1/namespaces/{namespace}/dtdomains/{name}/create'),
    ];
    const ran = await run({
      command: findProgram('bash') ?? 'bash',
      args: ['-e', '-c', scripts.join('\necho\n')],
      env: { PATH: process.env['PATH'], DTKD_DATA: site.seenAt, DTKD_URL: site.apiUrl, HOME: join(site.seenAt, '..') },
    });
    expect(ran.code, `${ran.stdout}${ran.stderr}`).toBe(0);
    expect(ran.stdout).toContain('"recoveryKey"');
  });
});
