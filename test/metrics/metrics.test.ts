import { describe, expect, it } from 'vitest';
import { Durations } from '../../daemon/src/counting/durations.ts';
import { domainsArea } from '../../daemon/src/metrics/areas/domains.ts';
import { area, each, one } from '../../daemon/src/metrics/family.ts';
import { createMetrics } from '../../daemon/src/metrics/metrics.ts';
import { type MetricParts, metricAreas } from '../../daemon/src/wiring/metric-areas.ts';
import { silentLogger } from '../silent-logger.ts';
import { exposed } from './exposed.ts';

describe('metrics', () => {
  it('are told in both forms, histograms and escaped labels too', async () => {
    const durations = new Durations([0.001, 0.1]);
    for (const ms of [0.5, 1, 50, 5000]) durations.add(ms);
    const metrics = createMetrics({
      logger: silentLogger,
      areas: [
        area('a', () => 3, [
          { name: 'a_things', help: 'Things', type: 'gauge', samples: (read) => one(read) },
          { name: 'a_seen_total', help: 'Seen', type: 'counter', labels: ['who'], samples: () => each('who', { 'a"\\\nb': 2, c: 1 }) },
          {
            name: 'a_duration_seconds',
            help: 'How long',
            type: 'histogram',
            labels: ['who'],
            samples: () => [{ labels: { who: 'x' }, durations: durations.counts() }],
          },
          { name: 'a_absent', help: 'Nothing', type: 'gauge', samples: () => [] },
        ]),
      ],
    });
    const text = await metrics.scrape('text');
    expect(text.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text.body).toContain(
      [
        '# HELP a_things Things\n# TYPE a_things gauge\na_things 3',
        '# HELP a_seen_total Seen\n# TYPE a_seen_total counter\na_seen_total{who="a\\"\\\\\\nb"} 2\na_seen_total{who="c"} 1',
        '# HELP a_duration_seconds How long\n# TYPE a_duration_seconds histogram\na_duration_seconds_bucket{le="0.001",who="x"} 2',
      ].join('\n'),
    );
    expect(text.body).not.toContain('a_absent');
    const { value, types } = exposed(text.body);
    expect([value('a_duration_seconds_bucket', { le: '0.1' }), value('a_duration_seconds_bucket', { le: '+Inf' })]).toEqual([3, 4]);
    expect([value('a_duration_seconds_count'), value('a_duration_seconds_sum')]).toEqual([4, 5.0515]);
    expect(types.get('process_resident_memory_bytes')).toBe('gauge');
    const open = await metrics.scrape('openmetrics');
    expect(open.contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(open.body).toContain('# TYPE a_seen counter\na_seen_total{who="a\\"\\\\\\nb"} 2');
    expect(open.body).toMatch(/# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total \S+\n/);
    expect(open.body).toMatch(/\n# EOF\n$/);
    expect(exposed((await metrics.scrape('text')).body).types.get('process_cpu_seconds_total')).toBe('counter');
  });

  it('lose only the part that cannot be read, and are read once for all who ask at a time', async () => {
    const warnings: object[] = [];
    let reads = 0;
    const metrics = createMetrics({
      logger: { ...silentLogger, warn: (fields) => void warnings.push(fields) },
      areas: [
        area('broken', () => Promise.reject(new Error('no disk')), [
          { name: 'b_things', help: 'Things', type: 'gauge', samples: () => one(1) },
        ]),
        area('sound', () => ++reads, [{ name: 's_things', help: 'Things', type: 'gauge', samples: (read) => one(read) }]),
      ],
    });
    const answers = await Promise.all([metrics.scrape('text'), metrics.scrape('text'), metrics.scrape('openmetrics')]);
    expect(answers.map(({ body }) => exposed(body.replace(/# EOF\n$/, '')).value('s_things'))).toEqual([1, 1, 2]);
    expect(answers[0]?.body).not.toContain('b_things');
    expect(warnings).toMatchObject([{ area: 'broken' }, { area: 'broken' }]);
  });

  it('tell that the disk is not ready also where it cannot be asked at all', async () => {
    const checks = [{ name: 'disk', failing: async () => 'it is gone' }];
    const parts = { version: '1', node: 'node0', directory: '/nowhere/at/all', checks, now: () => 1_000 } as unknown as MetricParts;
    const { body } = await createMetrics({ logger: silentLogger, areas: metricAreas(parts).slice(0, 1) }).scrape('text');
    expect(exposed(body).value('dtkd_ready', { check: 'disk' })).toBe(0);
    expect(body).not.toContain('dtkd_disk_free_bytes');
  });

  it('let others have the event loop while many members are told', async () => {
    const peers = Array.from({ length: 50 }, (_, at) => ({
      displayName: `node${at}`,
      self: at === 0,
      connected: true,
      reach: 'connected' as const,
      path: 'direct' as const,
      suspended: false,
      conditions: [],
    }));
    const domains = Array.from({ length: 50 }, (_, at) => ({ name: `d${at}`, state: 'Ready', peers }));
    const metrics = createMetrics({ logger: silentLogger, areas: [domainsArea(() => domains)] });
    await metrics.scrape('text');
    let turns = 0;
    let scraping = true;
    const count = (): void => {
      turns += 1;
      if (scraping) setImmediate(count);
    };
    setImmediate(count);
    const { body } = await metrics.scrape('text');
    scraping = false;
    expect(body.split('\n').length).toBeGreaterThan(4 * 49 * 50);
    expect(turns).toBeGreaterThan(1);
  });
});
