import { type Browser, chromium } from 'playwright-core';
import { findProgram, missing } from './programs.ts';

/** Why there can be no browser; undefined if there can. */
export const NO_BROWSER = missing(['chromium']);
/** For a browser to start, and for each thing that it is to show. */
export const BROWSER_MS = 180_000;

/** Starts the machine's Chromium. As root a browser can only run without its sandbox; it is shown nothing but what the test serves. */
export function launchBrowser(): Promise<Browser> {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({
    executablePath: findProgram('chromium') ?? 'chromium',
    // a container may have next to no shared memory
    args: [...args, '--disable-dev-shm-usage'],
    timeout: BROWSER_MS,
  });
}
