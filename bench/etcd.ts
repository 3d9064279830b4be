import { join } from 'node:path';
import { openLevel } from '../daemon/src/store/level-kv.ts';
import { openObjectStore } from '../daemon/src/store/object-store.ts';
import { missing } from '../test/harness/programs.ts';
import type { Site } from '../test/harness/site.ts';
import { Stage } from '../test/harness/stage.ts';
import type { Benchmark, Context, Figure } from './benchmark.types.ts';
import { CLIENTS, curlSeconds, etcdctlSeconds, grpcWrites, VALUE, wrkWrites } from './etcd-load.ts';
import { Etcd } from './peers/etcd.ts';
import { spread } from './stats.ts';

const LIMIT = 1.0;
const PREFIX = 'k-';
const BATCH = 1_000;

/** Makes the objects without the API, which is not what is measured here. */
async function fill(site: Site, total: number): Promise<void> {
  const store = await openObjectStore({ kv: await openLevel(join(site.dir, 'db')), node: site.name });
  for (let from = 0; from < total; from += BATCH) {
    await store.transact(async (tx) => {
      await Promise.all(
        Array.from({ length: Math.min(BATCH, total - from) }, (_, index) =>
          tx.put({
            apiVersion: 'dtkd.dev/v1',
            kind: 'Model',
            metadata: {
              name: `${PREFIX}${String(from + index).padStart(8, '0')}`,
              namespace: site.name,
              uid: '',
              resourceVersion: '',
              generation: 1,
              creationTimestamp: '',
            },
            spec: { description: VALUE },
          }),
        ),
      );
    });
  }
  await store.close();
}

interface Samples {
  writes: { dtkd: number[]; gateway: number[]; grpc: number[] };
  lists: { dtkd: number[]; gateway: number[]; grpc: number[] };
}

const nothing = (): Samples => ({ writes: { dtkd: [], gateway: [], grpc: [] }, lists: { dtkd: [], gateway: [], grpc: [] } });

/** Durable writes of many clients, and one whole listing: a daemon over HTTPS and etcd over both of its network APIs. */
export const benchmark: Benchmark = {
  name: 'etcd',
  title: `Writes and listings through the API, against etcd (${CLIENTS} clients, values of ${VALUE.length} bytes)`,
  needs: ['etcd', 'etcdctl', 'h2load'],

  async run({ quick, say }: Context): Promise<Figure[]> {
    const tools = missing(['wrk', 'curl']);
    if (tools !== undefined) throw new Error(`nothing to measure with: ${tools}`);
    const total = quick ? 10_000 : 100_000;
    const rounds = quick ? 1 : 5;
    const seconds = quick ? 2 : 8;
    const stage = await Stage.open();
    const has = (program: string) => missing([program]) === undefined;
    let etcd: Etcd | undefined;
    try {
      const site = await stage.start({ name: 'store' });
      await site.stop();
      say(`making ${total} objects in each`);
      await fill(site, total);
      await site.start();
      if (has('etcd')) {
        etcd = await Etcd.start(stage.directory);
        await etcd.fill(PREFIX, total, VALUE);
      }
      const directory = stage.directory;
      const ca = join(site.dir, 'ca.crt');
      const models = `${site.apiUrl}/apis/dtkd.dev/v1/namespaces/default/models`;
      const samples = nothing();
      const list = JSON.stringify({ key: Buffer.from(PREFIX).toString('base64'), range_end: Buffer.from('k.').toString('base64') });
      // listings first, while both have exactly as many
      for (let round = 0; round <= rounds; round += 1) {
        say(round === 0 ? 'listing, to warm up' : `listing, round ${round} of ${rounds}`);
        const lists = round === 0 ? nothing().lists : samples.lists;
        lists.dtkd.push(await curlSeconds(['--cacert', ca, '--header', `Authorization: Bearer ${site.token}`, models]));
        if (etcd === undefined) continue;
        lists.gateway.push(await curlSeconds(['--data', list, `${etcd.url}/v3/kv/range`]));
        if (has('etcdctl')) lists.grpc.push(await etcdctlSeconds(etcd.url, PREFIX, directory));
      }
      for (let round = 0; round <= rounds; round += 1) {
        say(round === 0 ? 'writing, to warm up' : `writing, round ${round} of ${rounds}`);
        const writes = round === 0 ? nothing().writes : samples.writes;
        const options = { directory, seconds: round === 0 ? 3 : seconds, run: String(round) };
        writes.dtkd.push(await wrkWrites('dtkd', site.token, { ...options, url: site.apiUrl }));
        if (etcd === undefined) continue;
        writes.gateway.push(await wrkWrites('etcd', '', { ...options, url: etcd.url }));
        if (has('h2load')) writes.grpc.push(await grpcWrites({ ...options, url: etcd.url }));
      }
      return figuresOf(samples, total, seconds);
    } finally {
      await etcd?.close();
      await stage.close();
    }
  },
};

function figuresOf({ writes, lists }: Samples, total: number, seconds: number): Figure[] {
  const rate = (times: readonly number[]) => times.map((time) => total / time);
  return [
    figure('durable writes a second', 'writes/s', writes, [
      `${seconds} s a run, interleaved; dtkd: POST of a Model over HTTPS with a token; etcd: Put without TLS`,
      'wrk is the client of dtkd and of etcd as JSON over HTTP/1.1; h2load, in C and with one body for all, that of gRPC',
      'all processes share the cores of the machine, the clients too',
    ]),
    figure(
      `objects a second in one listing of ${total.toLocaleString('en')}`,
      'objects/s',
      {
        dtkd: rate(lists.dtkd),
        gateway: rate(lists.gateway),
        grpc: rate(lists.grpc),
      },
      ['one answer with all of them: dtkd by curl over HTTPS (whole objects as JSON), etcd by curl as JSON, and by etcdctl over gRPC'],
    ),
  ];
}

/** The ratio is to etcd as JSON over HTTP, the same kind of API by the same client; gRPC stands beside it. */
function figure(metric: string, unit: string, samples: Samples['writes'], notes: string[]): Figure {
  const dtkd = spread(samples.dtkd);
  if (samples.gateway.length === 0) return { metric, unit, dtkd, notes };
  const gateway = spread(samples.gateway);
  const ratio = dtkd.median / gateway.median;
  const grpc = samples.grpc.length === 0 ? undefined : spread(samples.grpc);
  return {
    metric,
    unit,
    dtkd,
    peer: { name: 'etcd, JSON over HTTP', value: gateway },
    ...(grpc === undefined ? {} : { beside: [{ name: 'etcd, gRPC', value: grpc }] }),
    ratio,
    limit: { text: `at least ${LIMIT.toFixed(1)} x etcd as JSON over HTTP`, met: ratio >= LIMIT },
    notes: [...notes, ...(grpc === undefined ? [] : [`${(dtkd.median / grpc.median).toFixed(2)} x etcd over gRPC`])],
  };
}
