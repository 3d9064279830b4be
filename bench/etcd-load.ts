/** The clients of the etcd benchmark: wrk for JSON over HTTP/1.1, h2load for gRPC, curl and etcdctl for listings. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../test/harness/child.ts';
import { findProgram } from '../test/harness/programs.ts';
import { putFrame } from './peers/etcd.ts';

export const CLIENTS = 100;
export const VALUE = 'a'.repeat(400);

/** What wrk sends: each request makes another key. Names are unique by run and count. */
const LUA = `
local what, token, run = ...
local alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local function base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for j = 3, 0, -1 do
      local digit = math.floor(n / 64 ^ j) % 64 + 1
      out[#out + 1] = alphabet:sub(digit, digit)
    end
    if not c then out[#out] = '=' end
    if not b then out[#out - 1] = '=' end
  end
  return table.concat(out)
end
local value = string.rep('a', 400)
local value64 = base64(value)
local count = 0
function init(args)
  what, token, run = args[1], args[2], args[3]
end
function request()
  count = count + 1
  local name = string.format('w%s-%08d', run, count)
  if what == 'etcd' then
    return wrk.format('POST', '/v3/kv/put', { ['Content-Type'] = 'application/json' },
      '{"key":"' .. base64(name) .. '","value":"' .. value64 .. '"}')
  end
  return wrk.format('POST', '/apis/dtkd.dev/v1/namespaces/default/models',
    { ['Content-Type'] = 'application/json', ['Authorization'] = 'Bearer ' .. token },
    '{"apiVersion":"dtkd.dev/v1","kind":"Model","metadata":{"name":"' .. name .. '"},"spec":{"description":"' .. value .. '"}}')
end
`;

export interface LoadOptions {
  directory: string;
  seconds: number;
  url: string;
  /** Part of the names, so that no run meets those of another. */
  run: string;
}

/** Writes a second, each answered after its fsync, by wrk. */
export async function wrkWrites(
  what: 'etcd' | 'dtkd',
  token: string,
  { directory, seconds, url, run: name }: LoadOptions,
): Promise<number> {
  const script = join(directory, 'write.lua');
  await writeFile(script, LUA, { mode: 0o600 });
  const result = await run({
    command: findProgram('wrk') ?? 'wrk',
    args: ['-t1', `-c${CLIENTS}`, `-d${seconds}s`, '-s', script, url, '--', what, token, name],
  });
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(result.stdout)?.[1]);
  const refused = /Non-2xx or 3xx responses: \d+/.exec(result.stdout)?.[0];
  if (result.code !== 0 || !Number.isFinite(rate) || refused !== undefined) throw failure('wrk', result);
  return rate;
}

/** Puts a second by h2load, over as many connections; all of one key, since it sends one body. */
export async function grpcWrites({ directory, seconds, url, run: name }: LoadOptions): Promise<number> {
  const body = join(directory, 'put.bin');
  await writeFile(body, putFrame(`g${name}`, VALUE));
  const result = await run({
    command: findProgram('h2load') ?? 'h2load',
    args: [
      ...['-t1', '-m1', `-c${CLIENTS}`, '-D', String(seconds), '-d', body],
      ...['-H', 'content-type: application/grpc', '-H', 'te: trailers', `${url}/etcdserverpb.KV/Put`],
    ],
  });
  const rate = Number(/finished in [\d.]+m?s, ([\d.]+) req\/s/.exec(result.stdout)?.[1]);
  if (result.code !== 0 || !Number.isFinite(rate)) throw failure('h2load', result);
  return rate;
}

/** Seconds until curl has the whole answer. */
export async function curlSeconds(args: readonly string[]): Promise<number> {
  const result = await run({
    command: findProgram('curl') ?? 'curl',
    args: ['--silent', '--fail', '--output', '/dev/null', '--write-out', '%{time_total}', ...args],
  });
  const seconds = Number(result.stdout);
  if (result.code !== 0 || !(seconds > 0)) throw failure('curl', result);
  return seconds;
}

/** Seconds until etcdctl has got (over gRPC) and written out everything below a prefix. */
export async function etcdctlSeconds(url: string, prefix: string, directory: string): Promise<number> {
  const began = performance.now();
  const result = await run({
    command: 'sh',
    args: [
      '-c',
      'ETCDCTL_API=3 exec "$0" --endpoints="$1" get --prefix "$2" > "$3"',
      findProgram('etcdctl') ?? 'etcdctl',
      url,
      prefix,
      join(directory, 'etcdctl.out'),
    ],
  });
  if (result.code !== 0) throw failure('etcdctl', result);
  return (performance.now() - began) / 1000;
}

function failure(program: string, { stdout, stderr }: { stdout: string; stderr: string }): Error {
  return new Error(`${program}: ${`${stdout}${stderr}`.slice(-2_000)}`);
}
