/** The dashboard, the alert rules and the guide, as tests look at them. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

export const MONITORING = resolve(import.meta.dirname, '../../docs/monitoring');

const dashboard = z.looseObject({
  templating: z.object({
    list: z.array(
      z.looseObject({ name: z.string(), type: z.string(), query: z.union([z.string(), z.object({ query: z.string() }).loose()]) }),
    ),
  }),
  panels: z.array(
    z.looseObject({
      id: z.number(),
      type: z.string(),
      title: z.string(),
      datasource: z.looseObject({ uid: z.string() }).optional(),
      gridPos: z.object({ h: z.number(), w: z.number(), x: z.number(), y: z.number() }),
      targets: z.array(z.looseObject({ expr: z.string(), legendFormat: z.string() })).optional(),
    }),
  ),
});

const rules = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.looseObject({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['critical', 'warning', 'info']) }),
          annotations: z.object({ summary: z.string(), action: z.string() }),
        }),
      ),
    }),
  ),
});

export function readDashboard(): z.infer<typeof dashboard> {
  return dashboard.parse(JSON.parse(readFileSync(join(MONITORING, 'dashboard.json'), 'utf8')));
}

export function readAlerts(): z.infer<typeof rules>['groups'][number]['rules'] {
  return rules.parse(parse(readFileSync(join(MONITORING, 'alerts.yaml'), 'utf8'))).groups.flatMap((group) => group.rules);
}

/** Every expression of both documents, with its place. */
export function expressions(): { where: string; expression: string }[] {
  const { panels, templating } = readDashboard();
  return [
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expression: expr }))),
    ...templating.list
      .filter(({ type }) => type === 'query')
      .map(({ name, query }) => ({ where: `variable ${name}`, expression: typeof query === 'string' ? query : query.query })),
    ...readAlerts().map(({ alert, expr }) => ({ where: alert, expression: expr })),
  ];
}

export interface Row {
  name: string;
  type: string;
  labels: string[];
  meaning: string;
}

/** The tables of metrics in the guide. */
export function readTable(): Row[] {
  const text = readFileSync(join(MONITORING, '../monitoring.md'), 'utf8');
  return [...text.matchAll(/^\| `([a-z_0-9]+)` \| (gauge|counter|histogram) \| ([^|]*) \| (.*) \|$/gm)].map(
    ([, name = '', type = '', labels = '', meaning = '']) => ({
      name,
      type,
      labels: [...labels.matchAll(/`([a-z_]+)`/g)].map(([, label = '']) => label),
      meaning,
    }),
  );
}
