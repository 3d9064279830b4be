/** Modules of a node in memory: what instances are staged from, compared with and pushed to. */
import type { LoadedModule, ModuleResolving, ModuleVersions, ResolvedModules } from '../../../daemon/src/catalog/modules/ports.ts';
import { MANIFEST_FILE } from '../../../protocol/definitions/module.ts';
import type { LockFile } from '../../../protocol/definitions/service-file.ts';
import { compareVersions } from '../../../protocol/definitions/version-order.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { digestOf, packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { soundModule } from '../../../protocol/modules/check.ts';
import { isInRange } from '../../../protocol/modules/resolve.ts';
import type { OperatorPrincipal } from '../../../protocol/rights/principal.ts';

export const operator: OperatorPrincipal = { type: 'operator', name: 'operator' };
export const KEY = 'ab'.repeat(32);

export class MemoryBases implements ModuleResolving, ModuleVersions {
  readonly #modules = new Map<string, LoadedModule & { digest: string }>();

  /** A module of these texts; those below `bin/` can be run. Gives its digest. */
  async add(files: Readonly<Record<string, string>>): Promise<string> {
    const archive = packArchive(
      Object.entries(files).map(([path, text]) => ({ path, executable: path.startsWith('bin/'), data: new Uint8Array(Buffer.from(text)) })),
    );
    return (await this.install(operator, archive)).digest;
  }

  async install(_principal: unknown, bytes: Uint8Array) {
    const archive = unpackArchive(bytes);
    const manifest = await soundModule(archive);
    const { module: name, version } = manifest;
    const digest = digestOf(bytes);
    const there = this.#modules.get(`${name} ${version}`);
    if (there !== undefined && there.digest !== digest)
      throw new DtkdError('CONFLICT', `${name} ${version} is installed with other content`);
    const ref = { name, version, digest, publisher: KEY };
    this.#modules.set(`${name} ${version}`, { manifest, archive, ref, digest });
    return ref;
  }

  async get(digest: string): Promise<LoadedModule | undefined> {
    return [...this.#modules.values()].find((one) => one.digest === digest);
  }

  forget(name: string, version: string): void {
    this.#modules.delete(`${name} ${version}`);
  }

  async versions(name: string): Promise<{ version: string; digest: string }[]> {
    return [...this.#modules.values()]
      .filter(({ manifest }) => manifest.module === name)
      .map(({ manifest, digest }) => ({ version: manifest.version, digest }))
      .sort((a, b) => compareVersions(b.version, a.version));
  }

  async resolve({ name, version = '*' }: { name: string; version?: string | undefined }): Promise<ResolvedModules> {
    const modules = new Map<string, LoadedModule>();
    const take = async (wanted: string, range: string): Promise<LoadedModule> => {
      const [best] = (await this.versions(wanted)).filter((one) => isInRange(one.version, range));
      const found = best === undefined ? undefined : await this.get(best.digest);
      if (found === undefined) throw new DtkdError('NO_MATCH', `no version is in the range: ${wanted} ${range}`);
      modules.set(wanted, found);
      for (const [next, nextRange] of Object.entries(found.manifest.dependencies ?? {})) await take(next, nextRange);
      return found;
    };
    const root = await take(name, version);
    const entries = [...modules].map(([module, { ref, manifest }]) => [
      module,
      { version: manifest.version, digest: ref.digest, publisher: ref.publisher },
    ]);
    const lock: LockFile = { dsl_version: '1.0', modules: Object.fromEntries(entries) };
    return { root, modules, lock };
  }
}

export const WEB_MANIFEST = `dsl_version: '1.0'
module: acme/web
version: 1.2.0
dependencies:
  acme/base: ^1.0.0
types:
  WebServer:
    extends: Service
    properties:
      port: {type: port, default: 8080}
      greeting: {required: true}
      tags: {type: array}
      password: {type: secret}
    links:
      db: {take: {database: url}}
  Cluster: {}
assemblies:
  web-tier:
    # How it is spoken to.
    description: A web tier
    target: nodes
    parameters:
      tier: {allowed: [front, back], default: front}
      size: {type: integer, required: true}
      key: {type: secret}
    components:
      # The one that answers.
      web:
        type: WebServer
        properties:
          port: 8080   # as everybody expects
          greeting: Hello
          password: web.password
        links:
          db: db
      db: {type: Service, properties: {url: x}}
`;

export const BASE_MANIFEST = `dsl_version: '1.0'
module: acme/base
version: 1.0.0
types:
  Base: {}
`;

/** `acme/web`, which needs `acme/base`. */
export async function someBases(): Promise<MemoryBases> {
  const bases = new MemoryBases();
  await bases.add({ [MANIFEST_FILE]: BASE_MANIFEST });
  await bases.add({ [MANIFEST_FILE]: WEB_MANIFEST, 'bin/start': '#!/bin/sh\necho up\n', 'README.md': 'Web\n\nTier\n' });
  return bases;
}
