/** An instance `shop`, staged from `acme/web:web-tier`. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstanceFiles } from '../../../../daemon/src/catalog/instances/files/files.types.ts';
import { createInstanceFiles } from '../../../../daemon/src/catalog/instances/files/instance-files.ts';
import { createStaging } from '../../../../daemon/src/catalog/instances/staging/staging.ts';
import { type MemoryBases, operator, someBases } from '../module-bases.ts';
import { author, type Bench, bench } from '../repository/bench.ts';

export interface ShopBench extends Bench {
  bases: MemoryBases;
  files: InstanceFiles;
  directory: string;
  request: { instance: string; principal: typeof operator; author: typeof author };
  text(path: string): Promise<string>;
  put(path: string, text: string): Promise<void>;
  /** Replaces a piece of a file, which has to be there. */
  replace(path: string, piece: string, by: string): Promise<void>;
}

export async function shopBench(): Promise<ShopBench> {
  const made = await bench();
  const bases = await someBases();
  const { directory } = await createStaging({ repositories: made.repositories, modules: bases }).stage({
    module: 'acme/web',
    assembly: 'web-tier',
    name: 'shop',
    principal: operator,
    author,
  });
  const text = (path: string) => readFile(join(directory, path), 'utf8');
  const put = (path: string, content: string) => writeFile(join(directory, path), content);
  return {
    ...made,
    bases,
    directory,
    files: createInstanceFiles({ repositories: made.repositories, bases }),
    request: { instance: 'shop', principal: operator, author },
    text,
    put,
    async replace(path, piece, by) {
      const before = await text(path);
      if (!before.includes(piece)) throw new Error(`${path} has no ${piece}`);
      await put(path, before.replace(piece, by));
    },
  };
}
