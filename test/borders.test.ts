import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const REPOSITORY = resolve(import.meta.dirname, '..');

/** What a file of each layer might be tempted to import, as it would be written there. */
const REFUSED: [file: string, specifier: string][] = [
  ['protocol/x.ts', '../daemon/src/process/logger.ts'],
  ['protocol/x.ts', '../cli/kinds.ts'],
  ['protocol/kinds/x.ts', 'level'],
  ['cli/x.ts', '../daemon/src/config.ts'],
  ['cli/commands/x.ts', '@libp2p/interface'],
  ['daemon/src/x.ts', 'libp2p'],
  ['daemon/src/x.ts', 'level'],
  ['daemon/src/x.ts', 'yjs'],
  ['daemon/src/x.ts', '../../cli/kinds.ts'],
  ['daemon/src/wiring/x.ts', 'libp2p'],
  ['daemon/src/process/x.ts', 'level'],
  ['daemon/src/store/x.ts', '../mesh/mesh.types.ts'],
  ['daemon/src/store/x.ts', '../config.ts'],
  ['daemon/src/streams/x.ts', '../api/app.ts'],
  ['daemon/src/mesh/x.ts', '../apps/ports.ts'],
  ['daemon/src/mesh/x.ts', '../process/logger.ts'],
  ['daemon/src/mesh/log/x.ts', 'yjs'],
  ['daemon/src/mesh/log/x.ts', '../host/libp2p-host.ts'],
  ['daemon/src/mesh/membership/x.ts', '@libp2p/interface'],
  ['daemon/src/mesh/membership/x.ts', '../../apps/ports.ts'],
  ['daemon/src/mesh/log/x.ts', '../../store/object-store.ts'],
  ['daemon/src/mesh/log/author-doc.ts', '../../apps/ports.ts'],
  ['daemon/src/apps/x.ts', '../mesh/mesh.ts'],
  ['daemon/src/apps/http/x.ts', '../../access/decision.ts'],
  ['daemon/src/apps/x.ts', 'libp2p'],
  ['daemon/src/apps/x.ts', '../daemon.ts'],
  ['daemon/src/apps/x.ts', '../wiring/app-users.ts'],
  ['daemon/src/catalog/x.ts', '../news/news.ts'],
  ['daemon/src/apps/x.ts', '../process/logger.ts'],
  ['daemon/src/access/x.ts', '../api/app.ts'],
  ['daemon/src/api/x.ts', '../mesh/mesh.types.ts'],
  ['daemon/src/api/x.ts', '../store/level-kv.ts'],
  ['daemon/src/api/x.ts', '../catalog/federation/federation.ts'],
  ['daemon/src/api/x.ts', '../catalog/model/rules.types.ts'],
  ['daemon/src/api/flow/x.ts', '../request/request.ts'],
  ['daemon/src/api/derived/x.ts', '../request/request.ts'],
  ['daemon/src/api/views/x.ts', '../deciding/deciding.ts'],
  ['daemon/src/api/views/x.ts', 'hono'],
  ['daemon/src/api/views/x.ts', '../../mesh/mesh.types.ts'],
  ['daemon/src/api/request/x.ts', '../reading/reading.ts'],
  ['daemon/src/api/request/x.ts', '../../store/level-kv.ts'],
  ['daemon/src/api/deciding/x.ts', '../writing/document.ts'],
  ['daemon/src/api/forwarding/x.ts', '../writing/written.ts'],
  ['daemon/src/api/reception/x.ts', '../app.ts'],
  ['daemon/src/api/remote/x.ts', '../server.ts'],
  ['daemon/src/api/listening/x.ts', '../server.ts'],
  ['daemon/src/api/writing/x.ts', '../reading/reading.ts'],
  ['daemon/src/api/reading/x.ts', '../federated/request.ts'],
  ['daemon/src/api/reading/x.ts', '../../catalog/federation/federation.ts'],
  ['daemon/src/api/actions/x.ts', '../writing/written.ts'],
  ['daemon/src/api/monitoring/x.ts', '../app.ts'],
  ['daemon/src/api/discovery/x.ts', '../openapi/routes.ts'],
  ['daemon/src/catalog/x.ts', '../access/access.types.ts'],
  ['daemon/src/parcels/x.ts', '../mesh/mesh.types.ts'],
  ['daemon/src/backup/x.ts', '../store/level-kv.ts'],
  ['daemon/src/backup/x.ts', '../mesh/mesh.types.ts'],
  ['daemon/src/checkup/x.ts', '../mesh/mesh.types.ts'],
  ['daemon/src/api/x.ts', '../checkup/judging.ts'],
  ['daemon/src/catalog/x.ts', '../backup/backup.types.ts'],
  ['daemon/src/parcels/x.ts', '../dispatch/dispatch.types.ts'],
  ['daemon/src/dispatch/x.ts', '../parcels/parcels.types.ts'],
  ['daemon/src/garbage/x.ts', '../api/app.ts'],
  ['daemon/src/garbage/x.ts', '../store/object-store.ts'],
  ['daemon/src/api/x.ts', '../garbage/collector.ts'],
  ['daemon/src/store/x.ts', '../garbage/collector.ts'],
  ['daemon/src/api/x.ts', '../../../test/wait.ts'],
  ['daemon/src/api/x.ts', 'prom-client'],
  ['daemon/src/api/x.ts', '../metrics/metrics.ts'],
  ['daemon/src/x.ts', 'prom-client'],
  ['daemon/src/store/x.ts', 'prom-client'],
  ['daemon/src/metrics/x.ts', '../mesh/mesh.types.ts'],
  ['daemon/src/metrics/areas/x.ts', '../../api/api.types.ts'],
  ['daemon/src/counting/x.ts', '../store/kv.ts'],
  ['daemon/src/disk/x.ts', '../store/kv.ts'],
  ['daemon/src/logging/x.ts', '../store/kv.ts'],
  ['daemon/src/signals/x.ts', '../store/kv.ts'],
];

const ALLOWED: [file: string, specifier: string][] = [
  ['cli/x.ts', '../protocol/errors.ts'],
  ['daemon/src/x.ts', './mesh/mesh.ts'],
  ['daemon/src/wiring/x.ts', '../mesh/mesh.ts'],
  ['daemon/src/store/x.ts', 'level'],
  ['daemon/src/mesh/x.ts', '../store/kv.ts'],
  ['daemon/src/mesh/x.ts', 'libp2p'],
  ['daemon/src/mesh/x.ts', '../signals/within.ts'],
  ['daemon/src/mesh/x.ts', '../logging/logger.types.ts'],
  ['daemon/src/mesh/log/x.ts', '../membership/membership.types.ts'],
  ['daemon/src/mesh/log/author-doc.ts', 'yjs'],
  ['daemon/src/apps/x.ts', '../store/object-store.types.ts'],
  ['daemon/src/apps/x.ts', '../logging/logger.types.ts'],
  ['daemon/src/metrics/x.ts', '../logging/logger.types.ts'],
  ['daemon/src/parcels/x.ts', '../store/kv.ts'],
  ['daemon/src/backup/x.ts', '../store/kv.ts'],
  ['daemon/src/garbage/x.ts', '../store/kv.ts'],
  ['daemon/src/api/x.ts', '../access/decision.ts'],
  ['daemon/src/api/x.ts', '../catalog/federation/federation.types.ts'],
  ['daemon/src/api/x.ts', 'hono'],
  ['daemon/src/api/x.ts', '../counting/durations.ts'],
  ['daemon/src/api/x.ts', './reading/reading.ts'],
  ['daemon/src/api/views/x.ts', '../derived/deriving-store.ts'],
  ['daemon/src/api/views/x.ts', '../../access/access.types.ts'],
  ['daemon/src/api/request/x.ts', 'hono'],
  ['daemon/src/api/reading/x.ts', './row-lines.ts'],
  ['daemon/src/api/reading/x.ts', '../deciding/deciding.ts'],
  ['daemon/src/api/federated/x.ts', '../reading/row-lines.ts'],
  ['daemon/src/metrics/areas/x.ts', '../../counting/durations.ts'],
  ['daemon/src/metrics/x.ts', 'prom-client'],
];

/** The files of both lists, with their imports line by line. */
const FILES = new Map<string, string[]>();
for (const [file, specifier] of [...REFUSED, ...ALLOWED]) FILES.set(file, [...(FILES.get(file) ?? []), specifier]);

const report = z.object({
  diagnostics: z.array(z.object({ location: z.object({ path: z.string(), start: z.object({ line: z.number() }) }) })),
});

describe('the borders that ARCHITECTURE.md draws', () => {
  let tree = '';
  let refused = new Set<string>();

  beforeAll(async () => {
    tree = await mkdtemp(join(tmpdir(), 'dtkd-borders-'));
    await copyFile(join(REPOSITORY, 'biome.json'), join(tree, 'biome.json'));
    for (const [file, specifiers] of FILES) {
      await mkdir(join(tree, dirname(file)), { recursive: true });
      await writeFile(join(tree, file), specifiers.map((specifier) => `export * from '${specifier}';\n`).join(''));
    }
    refused = await refusedImports(tree);
  });
  afterAll(() => rm(tree, { recursive: true, force: true }));

  it.each(REFUSED)('%s may not import %s', (file, specifier) => {
    expect(refused).toContain(`${file} ${specifier}`);
  });

  it.each(ALLOWED)('%s may import %s', (file, specifier) => {
    expect(refused).not.toContain(`${file} ${specifier}`);
  });
});

function refusedImports(directory: string): Promise<Set<string>> {
  const biome = join(REPOSITORY, 'node_modules', '.bin', 'biome');
  const args = ['lint', '--reporter=json', '--max-diagnostics=none', '--only=style/noRestrictedImports', '.'];
  return new Promise((found, failed) => {
    execFile(biome, args, { cwd: directory, maxBuffer: 16 * 1024 * 1024 }, (_status, stdout) => {
      try {
        const { diagnostics } = report.parse(JSON.parse(stdout));
        found(new Set(diagnostics.map(({ location: { path, start } }) => `${path} ${FILES.get(path)?.[start.line - 1]}`)));
      } catch (error) {
        failed(error);
      }
    });
  });
}
