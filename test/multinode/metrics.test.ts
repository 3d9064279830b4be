/** The numbers of real daemons: right after what they count has happened, and all that dashboard, alerts and guide speak of. */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { expose, formDomain, uriOf } from '../harness/domain.ts';
import { fetchText } from '../harness/http.ts';
import { findProgram, missing } from '../harness/programs.ts';
import type { Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant, type SiteUser } from '../harness/user.ts';
import { expressions, readTable } from '../metrics/documents.ts';
import { type Exposed, exposed, usedBy } from '../metrics/exposed.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const DOMAIN = 'mydomain';
const BYTES = 300_000;
/** What Prometheus adds to every series, and its own metric of each target. */
const ADDED = ['job', 'instance'];
const OF_PROMETHEUS = 'up';
const why = missing(['promtool']);
if (why !== undefined) console.warn(`SKIPPED: metrics are checked by promtool: ${why}`);

describe('metrics of two sites', () => {
  let node0: Site;
  let node1: Site;
  let scraper: SiteUser;

  /** The unchanged answer to a GET of a path of the API. */
  async function read(
    site: Site,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string; type: string }> {
    const answer = await site.openApi(path, headers);
    answer.setEncoding('utf8');
    let body = '';
    for await (const chunk of answer) body += String(chunk);
    return { status: answer.statusCode ?? 0, body, type: answer.headers['content-type'] ?? '' };
  }
  const scrape = async (site: Site): Promise<Exposed> => exposed((await read(site, '/metrics')).body);

  beforeAll(async () => {
    [node0, node1] = (await stage.current.startAll('node0', 'node1')) as [Site, Site];
    await formDomain(DOMAIN, [node0, node1]);
    scraper = await addUser(node0, 'prometheus');
  });

  it('are for the operator and for who was granted them', async () => {
    const authorization = `Bearer ${scraper.token}`;
    expect((await read(node0, '/metrics', { authorization: 'Bearer none' })).status).toBe(401);
    expect(await read(node0, '/metrics', { authorization })).toMatchObject({ status: 403 });
    await grant(node0, scraper, ['READ'], { kind: 'metrics' });
    const lines = (await scrape(node0)).value('dtkd_audit_lines_total');
    expect(await read(node0, '/metrics', { authorization })).toMatchObject({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
    });
    const open = await read(node0, '/metrics', { authorization, accept: 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5' });
    expect(open.type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(open.body.endsWith('\n# EOF\n')).toBe(true);
    expect((await scrape(node0)).value('dtkd_audit_lines_total')).toBe(lines);
  });

  it('tell what tunnels carried', async () => {
    const origin = await stage.current.origin({ name: 'wiki' });
    await expose(node0, 'wiki', origin, DOMAIN);
    const uri = await uriOf(node1, 'wiki', node0);
    expect((await node1.fetchUri(uri, { path: `/bytes?n=${BYTES}` })).body).toHaveLength(BYTES);
    const [owner, user] = await Promise.all([scrape(node0), scrape(node1)]);
    for (const [site, side, direction] of [
      [owner, 'served', 'out'],
      [user, 'used', 'in'],
    ] as const) {
      const bytes = site.value('dtkd_tunnel_bytes_total', { side, direction });
      expect(bytes).toBeGreaterThan(BYTES);
      expect(bytes).toBeLessThan(BYTES * 1.02);
    }
    expect(user.value('dtkd_http_responses_total', { class: '2xx' })).toBe(1);
    expect(owner.value('dtkd_tunnels_total', { outcome: 'accepted' })).toBe(1);
    expect(owner.value('dtkd_apps', { owner: 'self' })).toBe(1);
    expect(user.value('dtkd_apps', { owner: 'member' })).toBe(1);
  });

  it('tell what was run', async () => {
    expect(await node0.cli('exec', '--', 'echo', 'hello')).toMatchObject({ code: 0 });
    expect((await node0.cli('exec', '--', 'false')).code).toBe(20);
    const { value } = await scrape(node0);
    expect(value('dtkd_executions_total', { outcome: 'succeeded' })).toBe(1);
    expect(value('dtkd_executions_total', { outcome: 'failed' })).toBe(1);
    expect(value('dtkd_execution_targets_total', { outcome: 'succeeded' })).toBe(1);
    expect(value('dtkd_commands_total', { outcome: 'failed' })).toBe(1);
    expect(value('dtkd_commands_output_bytes_total')).toBeGreaterThan('hello\n'.length);
    expect([value('dtkd_executions_running'), value('dtkd_commands_running')]).toEqual([0, 0]);
  });

  it('tell what was asked of other nodes, who is away, and what is behind', async () => {
    const labels = { domain: DOMAIN, peer: 'node1' };
    expect((await scrape(node0)).value('dtkd_peer_connected', labels)).toBe(1);
    // node1 also writes by itself, so two looks may meet the log before and after.
    await waitFor(
      async () => {
        const [ours, theirs] = await Promise.all([scrape(node0), scrape(node1)]);
        const entries = ours.value('dtkd_log_entries', { author: 'node1' });
        const isBehind = ours.value('dtkd_log_entries_behind', { author: 'node1' }) !== 0;
        return entries > 0 && !isBehind && entries === theirs.value('dtkd_log_entries', { author: 'node1' });
      },
      { what: 'both to hold the same of the log of node1' },
    );
    expect((await scraper.list('model', { all: true, query: { peerTimeoutMs: '30000' } })).stateOf('node1')).toBe('denied');
    await node1.kill9();
    const after = await waitFor(
      async () => {
        const now = await scrape(node0);
        return now.value('dtkd_peer_connected', labels) === 0 && now.value('dtkd_peer_away', labels) === 1 ? now : undefined;
      },
      { what: 'node1 to be away' },
    );
    expect(after.value('dtkd_domain_peers', { domain: DOMAIN, reach: 'away' })).toBe(1);
    await scraper.list('model', { all: true });
    const { value } = await scrape(node0);
    expect(value('dtkd_fanout_requests_total', { peer: 'node1', outcome: 'denied' })).toBe(1);
    expect(value('dtkd_fanout_duration_seconds_count', { peer: 'node1' })).toBe(1);
    expect(value('dtkd_fanout_statements_total', { peer: 'node1', state: 'denied' })).toBe(1);
    const unanswered =
      value('dtkd_fanout_statements_total', { peer: 'node1', state: 'stale' }) +
      value('dtkd_fanout_statements_total', { peer: 'node1', state: 'unreachable' });
    expect(unanswered).toBe(1);
    expect(value('dtkd_domain_members', { domain: DOMAIN })).toBe(2);
  });

  it('are all that dashboard, alerts and guide speak of, with their labels', async () => {
    const { body } = await read(node0, '/metrics');
    const { labels, types } = exposed(body);
    // nothing has been collected as garbage, and no order is held, so far
    const absent = new Set(['nodejs_gc_duration_seconds', 'dtkd_orders_first_expiry_timestamp_seconds'].filter((name) => !types.has(name)));
    const isAbsent = (name: string) => [...absent].some((one) => name.startsWith(one));
    const wrong = expressions().flatMap(({ where, expression }) =>
      usedBy(expression)
        .filter(({ name }) => name !== OF_PROMETHEUS && !isAbsent(name))
        .flatMap((used) => {
          const known = labels.get(used.name);
          if (known === undefined) return [`${where}: ${used.name}`];
          return used.labels
            .filter((label) => !known.has(label) && !ADDED.includes(label))
            .map((label) => `${where}: ${used.name}{${label}}`);
        }),
    );
    expect(wrong).toEqual([]);
    const told = readTable().filter(({ name }) => !isAbsent(name));
    expect(told.map(({ name, type }) => [name, type]).sort()).toEqual([...types].filter(([name]) => !isAbsent(name)).sort());
    for (const { name, type, labels: named } of told) {
      const own = new Set(labels.get(type === 'histogram' ? `${name}_bucket` : name));
      if (type === 'histogram') own.delete('le');
      expect([...own].sort(), name).toEqual([...named].sort());
    }
  });

  it.skipIf(why !== undefined)('are well made, says promtool', async () => {
    const { body } = await read(node0, '/metrics');
    const { status, stderr } = spawnSync(findProgram('promtool') ?? 'promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('go with probes that tell what holds, also through the socket', async () => {
    const lines = '[+]ping ok\n[+]store ok\n[+]disk ok\n[+]domains ok\nreadyz check passed\n';
    expect(await read(node0, '/readyz?verbose', { authorization: '' })).toMatchObject({ status: 200, body: lines });
    const target = { socketPath: `${node0.seenAt}/api.sock` };
    const answer = await fetchText({ target, path: '/readyz?verbose', headers: { host: 'localhost' } });
    expect(answer).toMatchObject({ status: 200, body: lines });
    const headers = { host: 'localhost', authorization: `Bearer ${node0.token}` };
    expect((await fetchText({ target, path: '/metrics', headers })).body).toContain('\ndtkd_api_streams_open 0\n');
  });
});
