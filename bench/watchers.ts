/** Many watches of one process, each over a connection of its own, and how long a change takes to all of them. */
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { z } from 'zod';
import type { Site } from '../test/harness/site.ts';
import { waitFor } from '../test/wait.ts';

/** How one change went: milliseconds from the request that made it to its line at each watcher, in the order of arrival. */
export type Delivery = number[];

const written = z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string() }) });
const event = z.looseObject({
  type: z.string(),
  object: z.looseObject({ metadata: z.looseObject({ name: z.string(), resourceVersion: z.string() }) }),
});

interface Line {
  at: number;
  text: string;
}

export interface WatchersOptions {
  site: Site;
  /** The collection's path. */
  path: string;
  /** One watch for each; they are asked for with these tokens. */
  tokens: readonly string[];
}

export class Watchers {
  readonly #site: Site;
  readonly #path: string;
  readonly #ca: Buffer;
  readonly #writer: Agent;
  readonly #count: number;
  readonly #requests: ReturnType<typeof request>[] = [];
  #lines: Line[] = [];
  #complete: () => void = () => {};
  #failed: (error: Error) => void = () => {};

  private constructor({ site, path, tokens }: WatchersOptions, ca: Buffer) {
    this.#site = site;
    this.#path = path;
    this.#ca = ca;
    this.#count = tokens.length;
    this.#writer = new Agent({ ca, keepAlive: true, maxSockets: 1 });
  }

  /** Opens one watch for each token, from the present version on. */
  static async open(options: WatchersOptions): Promise<Watchers> {
    const watchers = new Watchers(options, await readFile(join(options.site.dir, 'ca.crt')));
    const list = z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string() }) });
    const { metadata } = list.parse(await options.site.call(`${options.path}?limit=1`));
    await Promise.all(options.tokens.map((token) => watchers.#watch(token, metadata.resourceVersion)));
    return watchers;
  }

  /** Changes one object and waits until every watcher has its line. */
  async change(name: string, value: string): Promise<Delivery> {
    this.#lines = [];
    const all = new Promise<void>((resolve, reject) => {
      this.#complete = resolve;
      this.#failed = reject;
    });
    const body = JSON.stringify({ spec: { description: value } });
    const began = performance.now();
    const [answer] = await Promise.all([this.#patch(name, body), all]);
    const { resourceVersion } = written.parse(JSON.parse(answer)).metadata;
    for (const { text } of this.#lines) {
      const { type, object } = event.parse(JSON.parse(text));
      if (type !== 'MODIFIED' || object.metadata.name !== name || object.metadata.resourceVersion !== resourceVersion) {
        throw new Error(`a watcher was told something else: ${text.slice(0, 200)}`);
      }
    }
    return this.#lines.map(({ at }) => at - began);
  }

  close(): void {
    for (const each of this.#requests) each.destroy();
    this.#writer.destroy();
  }

  async #watch(token: string, version: string): Promise<void> {
    let isOpen = false;
    const url = new URL(`${this.#site.apiUrl}${this.#path}?watch=true&resourceVersion=${version}`);
    const sent = request(url, { ca: this.#ca, agent: false, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      if (answer.statusCode !== 200) this.#failed(new Error(`a watch was answered with ${answer.statusCode}`));
      isOpen = answer.statusCode === 200;
      let rest = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        const at = performance.now();
        const parts = (rest + chunk).split('\n');
        rest = parts.pop() ?? '';
        for (const text of parts) this.#lines.push({ at, text });
        if (this.#lines.length >= this.#count) this.#complete();
      });
      answer.once('close', () => this.#failed(new Error('a watch has ended')));
    });
    sent.once('error', (error) => this.#failed(error));
    sent.end();
    this.#requests.push(sent);
    await waitFor(() => isOpen, { what: 'a watch to open', timeoutMs: 30_000 });
  }

  #patch(name: string, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${this.#site.token}`,
        'content-type': 'application/merge-patch+json',
        'content-length': Buffer.byteLength(body),
      };
      const url = new URL(`${this.#site.apiUrl}${this.#path}/${name}`);
      const sent = request(url, { method: 'PATCH', agent: this.#writer, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.once('error', reject).once('end', () => {
          if (answer.statusCode === 200) resolve(text);
          else reject(new Error(`a change was answered with ${answer.statusCode}: ${text.slice(0, 200)}`));
        });
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }
}
