/**
 * Writes the script of the reference page into dist/, compressed, with its licences: the installed package has nothing else of that
 * library.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import { LICENCES, PACKED, SCRIPT } from '../daemon/src/api/reference/script.ts';

export async function writeReferenceScript(dist: string): Promise<void> {
  const source = dirname(createRequire(import.meta.url).resolve(`rapidoc/dist/${SCRIPT}`));
  const target = join(dist, 'daemon', 'src', 'api', 'reference');
  await mkdir(target, { recursive: true });
  const texts = [join(source, '..', 'LICENSE.txt'), join(source, `${SCRIPT}.LICENSE.txt`)].map((path) => readFile(path, 'utf8'));
  await writeFile(join(target, LICENCES), (await Promise.all(texts)).join('\n'));
  await writeFile(join(target, PACKED), gzipSync(await readFile(join(source, SCRIPT)), { level: constants.Z_BEST_COMPRESSION }));
}
