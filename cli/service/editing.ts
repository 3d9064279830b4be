import { editAnswer, type ServiceEdit } from '../../protocol/service-api.ts';
import type { Cli } from '../cli.ts';
import { type Named, serviceTarget } from '../client/services.ts';
import { differenceLines } from './difference-lines.ts';

/** Edits `dtk.service.yaml`, all or nothing, and shows what is different in it now. `base`: the digest of the file that the edits were made from. */
export async function editService(cli: Cli, service: Named, edits: readonly ServiceEdit[], base?: string): Promise<void> {
  const client = await cli.client();
  const body = { edits, ...(base === undefined ? {} : { base }) };
  const { differences } = editAnswer.parse(await client.call('POST', serviceTarget(service, 'edit'), body));
  if (differences.length === 0) return cli.out.print('It was so already.');
  cli.out.lines(differenceLines((colour, text) => cli.out.paint(colour, text), differences));
}
