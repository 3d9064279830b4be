/** `pull-module` and `push-module`, which differ only in direction. */
import type { z } from 'zod';
import { copyAnswer, type copyRequest } from '../../protocol/requests/service.ts';
import type { Cli } from '../cli.ts';
import { type Named, serviceTarget } from '../client/services.ts';
import { escapeControls } from '../output/escape.ts';
import { type Format, printValue } from '../output/format.ts';
import { fileLines } from './difference-lines.ts';

export interface CopyFlags {
  version?: string;
  dryRun?: boolean;
  output?: Format;
}

export async function moveCopy(
  cli: Cli,
  service: Named,
  request: z.infer<typeof copyRequest>,
  flags: CopyFlags,
): Promise<{ changed: boolean; title: string } | undefined> {
  const client = await cli.client();
  const answer = await client.call('POST', serviceTarget(service, 'modules'), {
    ...request,
    ...(flags.version === undefined ? {} : { version: flags.version }),
    ...(flags.dryRun === true ? { dryRun: true } : {}),
  });
  if (flags.output === 'json' || flags.output === 'yaml') {
    await printValue(cli.out, answer, flags.output);
    return undefined;
  }
  const { module, version, files } = copyAnswer.parse(answer);
  cli.out.lines(fileLines((colour, text) => cli.out.paint(colour, text), files, false));
  return { changed: files.length > 0, title: escapeControls(`${module} ${version}`) };
}
