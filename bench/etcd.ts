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

/** `secure` is etcd's JSON over HTTPS, `plain` the same in the clear, `grpc` in the clear, too. */
interface Sample {
  dtkd: number[];
  secure: number[];
  plain: number[];
  grpc: number[];
}

const nothing = (): Sample => ({ dtkd: [], secure: [], plain: [], grpc: [] });

/** Durable writes of many clients, and one whole listing: a daemon over HTTPS, and etcd over both of its network APIs, with TLS and without. */
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
    let etcd: { secure: Etcd; plain: Etcd } | undefined;
    try {
      const site = await stage.start({ name: 'store' });
      await site.stop();
      say(`making ${total} objects in each`);
      await fill(site, total);
      await site.start();
      if (has('etcd')) {
        // with the daemon's own certificate, so that both do the same for TLS
        const tls = { ca: join(site.dir, 'ca.crt'), cert: join(site.dir, 'tls.crt'), key: join(site.dir, 'tls.key') };
        etcd = {
          secure: await Etcd.start(join(stage.directory, 'etcd-secure'), tls),
          plain: await Etcd.start(join(stage.directory, 'etcd-plain')),
        };
        for (const each of [etcd.secure, etcd.plain]) await each.fill(PREFIX, total, VALUE);
      }
      const directory = stage.directory;
      const ca = join(site.dir, 'ca.crt');
      const models = `${site.apiUrl}/apis/dtkd.dev/v1/namespaces/default/models`;
      const samples = { writes: nothing(), lists: nothing() };
      const list = JSON.stringify({ key: Buffer.from(PREFIX).toString('base64'), range_end: Buffer.from('k.').toString('base64') });
      // listings first, while both have exactly as many
      for (let round = 0; round <= rounds; round += 1) {
        say(round === 0 ? 'listing, to warm up' : `listing, round ${round} of ${rounds}`);
        const lists = round === 0 ? nothing() : samples.lists;
        lists.dtkd.push(await curlSeconds(['--cacert', ca, '--header', `Authorization: Bearer ${site.token}`, models]));
        if (etcd === undefined) continue;
        lists.secure.push(await curlSeconds(['--cacert', ca, '--data', list, `${etcd.secure.url}/v3/kv/range`]));
        lists.plain.push(await curlSeconds(['--data', list, `${etcd.plain.url}/v3/kv/range`]));
        if (has('etcdctl')) lists.grpc.push(await etcdctlSeconds(etcd.plain.url, PREFIX, directory));
      }
      for (let round = 0; round <= rounds; round += 1) {
        say(round === 0 ? 'writing, to warm up' : `writing, round ${round} of ${rounds}`);
        const writes = round === 0 ? nothing() : samples.writes;
        const options = { directory, seconds: round === 0 ? 3 : seconds, run: String(round) };
        writes.dtkd.push(await wrkWrites('dtkd', site.token, { ...options, url: site.apiUrl }));
        if (etcd === undefined) continue;
        writes.secure.push(await wrkWrites('etcd', '', { ...options, url: etcd.secure.url }));
        writes.plain.push(await wrkWrites('etcd', '', { ...options, url: etcd.plain.url }));
        if (has('h2load')) writes.grpc.push(await grpcWrites({ ...options, url: etcd.plain.url }));
      }
      return figuresOf(samples, total, seconds);
    } finally {
      await etcd?.secure.close();
      await etcd?.plain.close();
      await stage.close();
    }
  },
};

function figuresOf({ writes, lists }: { writes: Sample; lists: Sample }, total: number, seconds: number): Figure[] {
  const rate = (times: readonly number[]) => times.map((time) => total / time);
  return [
    figure('durable writes a second', 'writes/s', writes, [
      `${seconds} s a run, interleaved; dtkd: POST of a Model over HTTPS with a token; etcd: Put, of anybody; both with the same certificate`,
      'wrk is the client of dtkd and of etcd as JSON over HTTP/1.1; h2load, in C and with one body for all, that of gRPC',
      'all processes share the cores of the machine, the clients too',
    ]),
    figure(
      `objects a second in one listing of ${total.toLocaleString('en')}`,
      'objects/s',
      { dtkd: rate(lists.dtkd), secure: rate(lists.secure), plain: rate(lists.plain), grpc: rate(lists.grpc) },
      ['one answer with all of them: dtkd by curl over HTTPS (whole objects as JSON), etcd by curl as JSON, and by etcdctl over gRPC'],
    ),
  ];
}

/** The ratio is to the same kind of API by the same client: etcd as JSON over HTTPS. The numbers of etcd without TLS are shown beside it. */
function figure(metric: string, unit: string, samples: Sample, notes: string[]): Figure {
  const dtkd = spread(samples.dtkd);
  if (samples.secure.length === 0) return { metric, unit, dtkd, notes };
  const secure = spread(samples.secure);
  const ratio = dtkd.median / secure.median;
  const beside = [
    { name: 'etcd, JSON in the clear', values: samples.plain },
    { name: 'etcd, gRPC in the clear', values: samples.grpc },
  ].flatMap(({ name, values }) => (values.length === 0 ? [] : [{ name, value: spread(values) }]));
  return {
    metric,
    unit,
    dtkd,
    peer: { name: 'etcd, JSON over HTTPS', value: secure },
    beside,
    ratio,
    limit: { text: `at least ${LIMIT.toFixed(1)} x etcd as JSON over HTTPS`, met: ratio >= LIMIT },
    notes: [...notes, ...beside.map(({ name, value }) => `${(dtkd.median / value.median).toFixed(2)} x ${name}`)],
  };
}
