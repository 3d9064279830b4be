import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findProgram, missing } from '../harness/programs.ts';
import { expressions, MONITORING, readAlerts, readDashboard, readTable } from './documents.ts';
import { usedBy } from './exposed.ts';
import { FAMILIES } from './families.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const why = missing(['promtool']);
if (why !== undefined) console.warn(`SKIPPED: rules are checked by promtool: ${why}`);

describe('the guide to monitoring', () => {
  it('has a table of all metrics, as the daemon describes them', () => {
    const own = readTable().filter(({ name }) => name.startsWith('dtkd_'));
    const had = FAMILIES.map(({ name, type, labels = [], help }) => ({ name, type, labels: [...labels], meaning: help }));
    expect(own).toEqual(had);
  });

  it('names alerts and metrics that there are', () => {
    const text = readFileSync(join(MONITORING, '../monitoring.md'), 'utf8');
    const alerts = new Set(readAlerts().map(({ alert }) => alert));
    expect([...text.matchAll(/`(Dtkd[A-Za-z]+)`/g)].map(([, name = '']) => name).filter((name) => !alerts.has(name))).toEqual([]);
    const metrics = new Set(readTable().map(({ name }) => name));
    const named = [...text.matchAll(/\b(?:dtkd|process|nodejs)_[a-z0-9_]+/g)].map(([name]) => name);
    expect(named.filter((name) => !metrics.has(name) && name !== 'process_')).toEqual([]);
  });

  it('names commands that there are, and so do the alerts', () => {
    const text = [
      readFileSync(join(MONITORING, '../monitoring.md'), 'utf8'),
      ...readAlerts().map(({ annotations }) => annotations.action),
    ].join('\n');
    const named = [...text.matchAll(/\bdtkd ([a-z]+)(?: ([a-z-]+))?/g)].map(([, first = '', second = '']) => [first, second]);
    const isThere = (...path: string[]) => existsSync(join(ROOT, 'cli/commands', `${join(...path)}.ts`));
    const wrong = named.filter(([first = '', second = '']) => {
      const isGroup = existsSync(join(ROOT, 'cli/commands', first));
      return isGroup ? !isThere(first, second) : !isThere(first);
    });
    // "dtkd of node0", "dtkd itself"
    expect(wrong.filter(([first = '']) => existsSync(join(ROOT, 'cli/commands', first)))).toEqual([]);
    expect(named.length).toBeGreaterThan(10);
  });
});

describe('the dashboard', () => {
  const { panels, templating } = readDashboard();

  it('asks the data source that is chosen, and only variables that it has', () => {
    const variables = new Set([...templating.list.map(({ name }) => name), '__rate_interval']);
    const text = JSON.stringify({ panels, templating });
    expect(
      [...text.matchAll(/\$\{?([a-zA-Z_]+)\}?/g)].map(([, name = '']) => name).filter((name) => !variables.has(name) && name !== '__all'),
    ).toEqual([]);
    expect(panels.filter(({ type, datasource }) => type !== 'row' && datasource?.uid !== '${' + 'datasource}')).toEqual([]);
  });

  it('has rows for an operator, panels that do not overlap, and ids of their own', () => {
    const rows = panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows).toEqual(expect.arrayContaining(['Overview', 'Domain', 'Replication', 'Dispatch', 'Apps', 'Store', 'Process']));
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });

  it('shows every metric of the daemon that the alerts use', () => {
    const shown = new Set(panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => usedBy(expr).map(({ name }) => name))));
    const alerted = readAlerts().flatMap(({ expr }) => usedBy(expr).map(({ name }) => name));
    // the clock is of no interest while it is right
    expect(alerted.filter((name) => !shown.has(name) && name !== 'dtkd_clock_timestamp_seconds')).toEqual([]);
  });

  it('is read as it is meant', () => {
    expect(usedBy('histogram_quantile(0.9, sum by (peer, le) (rate(x_bucket{job="a",peer=~"$p"}[5m]))) > 0')).toEqual([
      { name: 'x_bucket', labels: ['job', 'peer', 'peer', 'le'] },
    ]);
    expect(usedBy('label_values(a{job="$job"}, instance)')).toEqual([{ name: 'a', labels: ['job', 'instance'] }]);
    expect(expressions().length).toBeGreaterThan(100);
  });
});

describe.skipIf(why !== undefined)('the alert rules', () => {
  const promtool = (...args: string[]) => execFileSync(findProgram('promtool') ?? 'promtool', args, { encoding: 'utf8', stdio: 'pipe' });

  it('are valid', () => {
    expect(promtool('check', 'rules', join(MONITORING, 'alerts.yaml'))).toContain('SUCCESS');
  });

  it('fire when they should, and not before', () => {
    expect(promtool('test', 'rules', join(import.meta.dirname, 'alerts.promtool.yaml'))).toContain('SUCCESS');
  });
});
