/**
 * The daemon's metrics: reads its areas when somebody scrapes, and only then, and returns them in the requested format. Guarantees
 * that one scrape runs at a time, that concurrent scrapes in the same format share an answer, and that an area which cannot be read
 * costs only its own metrics. prom-client, with its watching of the event loop and the garbage collector, is loaded at the first
 * scrape: a node that is never scraped pays nothing.
 */
import type { Logger } from '../logging/logger.types.ts';
import type { Exposition, Form } from './exposition.ts';
import type { Area, Sample } from './family.ts';

export interface Metrics {
  scrape(form: Form): Promise<{ contentType: string; body: string }>;
}

export function createMetrics({ areas, logger }: { areas: readonly Area[]; logger: Logger }): Metrics {
  const running = new Map<Form, ReturnType<Metrics['scrape']>>();
  let exposition: Promise<Exposition> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function open(): Promise<Exposition> {
    const { Exposition } = await import('./exposition.ts');
    return new Exposition(areas.flatMap(({ families }) => families));
  }

  async function collect({ name, collect }: Area): Promise<ReadonlyMap<string, readonly Sample[]>> {
    try {
      return await collect();
    } catch (error) {
      logger.warn({ err: error, area: name }, 'Metrics of a part of the daemon could not be read');
      return new Map();
    }
  }

  async function scrape(form: Form): Promise<{ contentType: string; body: string }> {
    exposition ??= open();
    const [writer, ...samples] = await Promise.all([exposition, ...areas.map(collect)]);
    return writer.write(form, new Map(samples.flatMap((one) => [...one])));
  }

  return {
    scrape(form) {
      const begun = running.get(form);
      if (begun !== undefined) return begun;
      const answer = last.then(() => scrape(form)).finally(() => running.delete(form));
      running.set(form, answer);
      last = answer.catch(() => undefined);
      return answer;
    },
  };
}
