/**
 * Writes the metrics in Prometheus' formats; the only file that knows prom-client. Owns two registries, one for each format, over
 * the same families and process metrics, and nothing global. Writes one family after another, and yields to the event loop in
 * between.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Gauge, Histogram, type OpenMetricsContentType, Registry } from 'prom-client';
import type { Area, Sample } from './family.ts';

export type Form = 'text' | 'openmetrics';
type Families = Area['families'];
type AnyRegistry = Registry | Registry<OpenMetricsContentType>;
type Collected = ReadonlyMap<string, readonly Sample[]>;

/** Milliseconds after which the event loop gets a turn. */
const TURN_MS = 5;
/** Milliseconds between two measurements of the event loop's lag; each is a timer. */
const LAG_RESOLUTION_MS = 20;
/**
 * Process metrics of prom-client that are left out: nobody looks at them, they cost more than they tell, or their name does not fit
 * their type.
 */
const LEFT_OUT = [
  'nodejs_eventloop_lag_min_seconds',
  'nodejs_eventloop_lag_stddev_seconds',
  'nodejs_eventloop_lag_p50_seconds',
  'nodejs_eventloop_lag_p90_seconds',
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'nodejs_heap_space_size_total_bytes',
  'nodejs_heap_space_size_used_bytes',
  'nodejs_heap_space_size_available_bytes',
  'nodejs_version_info',
];

export class Exposition {
  readonly #text = new Registry();
  readonly #open = new Registry<OpenMetricsContentType>();
  readonly #names: Record<Form, string[]> = { text: [], openmetrics: [] };
  #samples: Collected = new Map();

  constructor(families: Families) {
    this.#open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    for (const about of families) {
      this.#add(about, this.#text, 'text');
      this.#add(about, this.#open, 'openmetrics');
    }
    this.#addProcess();
  }

  /** Writes all families with these samples; a family without any is left out. */
  async write(form: Form, samples: Collected): Promise<{ contentType: string; body: string }> {
    this.#samples = samples;
    const registry = form === 'text' ? this.#text : this.#open;
    const parts: string[] = [];
    let began = performance.now();
    for (const name of this.#names[form]) {
      const text = await registry.getSingleMetricAsString(name);
      // a family without samples says nothing
      if (text.split('\n').length > 2) parts.push(text);
      if (performance.now() - began < TURN_MS) continue;
      await turn();
      began = performance.now();
    }
    return { contentType: registry.contentType, body: `${parts.join('\n')}\n${form === 'text' ? '' : '# EOF\n'}` };
  }

  #add({ name: full, help, type, labels: labelNames = [] }: Families[number], registry: AnyRegistry, form: Form): void {
    // in OpenMetrics the name of a counter's family lacks the `_total` that its samples have
    const name = type === 'counter' && form === 'openmetrics' ? full.replace(/_total$/, '') : full;
    const samples = (): readonly Sample[] => this.#samples.get(full) ?? [];
    const about = { name, help, labelNames: [...labelNames], registers: [registry] };
    this.#names[form].push(name);
    switch (type) {
      case 'gauge':
        return void new ReportedGauge(about, samples);
      case 'counter':
        return void new ReportedCounter(about, samples);
      case 'histogram':
        return void new ReportedHistogram(about, samples);
    }
  }

  /** Adds the process metrics of prom-client. They are collected once, and registered in both formats. */
  #addProcess(): void {
    const process = new Registry();
    collectDefaultMetrics({ register: process, eventLoopMonitoringPrecision: LAG_RESOLUTION_MS });
    for (const name of LEFT_OUT) process.removeSingleMetric(name);
    for (const { name, help } of process.getMetricsAsArray()) {
      const metric = process.getSingleMetric(name);
      if (metric === undefined) continue;
      this.#text.registerMetric(metric);
      this.#names.text.push(name);
      if (metric instanceof Counter) {
        const short = name.replace(/_total$/, '');
        new RenamedCounter({ name: short, help, registers: [this.#open] }, metric);
        this.#names.openmetrics.push(short);
      } else {
        this.#open.registerMetric(metric);
        this.#names.openmetrics.push(name);
      }
    }
  }
}

type Samples = () => readonly Sample[];
interface About {
  name: string;
  help: string;
  labelNames: string[];
  registers: AnyRegistry[];
}

function valuesOf(samples: readonly Sample[]): { labels: Record<string, string>; value: number }[] {
  return samples.flatMap((sample) => ('value' in sample ? [{ labels: { ...sample.labels }, value: sample.value }] : []));
}

/** Reports what the parts of the daemon have counted, instead of counting itself. */
class ReportedGauge extends Gauge {
  readonly #samples: Samples;

  constructor(about: About, samples: Samples) {
    super(about);
    this.#samples = samples;
  }

  override async get(): ReturnType<Gauge['get']> {
    return { ...(await super.get()), values: valuesOf(this.#samples()) };
  }
}

class ReportedCounter extends Counter {
  readonly #samples: Samples;

  constructor(about: About, samples: Samples) {
    super(about);
    this.#samples = samples;
  }

  override async get(): ReturnType<Counter['get']> {
    return { ...(await super.get()), values: valuesOf(this.#samples()) };
  }
}

class ReportedHistogram extends Histogram {
  readonly #samples: Samples;
  /** Provides the description: `get` of this object would call `getForPromString`. */
  readonly #described: Histogram;

  constructor(about: About, samples: Samples) {
    super(about);
    this.#samples = samples;
    this.#described = new Histogram({ ...about, registers: [] });
  }

  /** Registries call this for histograms instead of `get`. */
  async getForPromString(): ReturnType<Histogram['get']> {
    const described = await this.#described.get();
    const { name } = described;
    const values = this.#samples().flatMap((sample) => {
      if (!('durations' in sample)) return [];
      const { bounds, atMost, count, sum } = sample.durations;
      const labels = { ...sample.labels };
      return [
        ...bounds.map((le, index) => ({ metricName: `${name}_bucket`, labels: { le: String(le), ...labels }, value: atMost[index] ?? 0 })),
        { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
    return { ...described, values };
  }
}

/** A counter under its OpenMetrics name. */
class RenamedCounter extends Counter {
  readonly #source: Pick<Counter, 'get'>;

  constructor(about: Omit<About, 'labelNames'>, source: Pick<Counter, 'get'>) {
    super(about);
    this.#source = source;
  }

  override async get(): ReturnType<Counter['get']> {
    const { name } = await super.get();
    return { ...(await this.#source.get()), name };
  }
}
