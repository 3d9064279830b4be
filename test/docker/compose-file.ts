/** docker/compose.yaml as tests read it: merges done, and only what they ask about. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { REPOSITORY } from '../harness/node-binary.ts';

const service = z.looseObject({
  image: z.string(),
  hostname: z.string().optional(),
  networks: z.array(z.string()).min(1),
  volumes: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  command: z.array(z.string()).optional(),
});
const file = z.looseObject({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.looseObject({ internal: z.boolean().optional() })),
  volumes: z.record(z.string(), z.unknown()),
});

export type ComposeService = z.infer<typeof service>;
export type ComposeFile = z.infer<typeof file>;

/** As in the file, with anchors and merges resolved. */
export async function composeDocument(): Promise<unknown> {
  return parse(await readFile(join(REPOSITORY, 'docker', 'compose.yaml'), 'utf8'), { merge: true });
}

export async function composeFile(): Promise<ComposeFile> {
  return file.parse(await composeDocument());
}

/** Services that are nodes: those with a name for it. */
export function nodesOf({ services }: ComposeFile): [string, ComposeService][] {
  return Object.entries(services).filter(([, { hostname }]) => hostname !== undefined);
}
