/** llhttp in its strict mode, as a judge: Node's own parser, reached by its internal module, which only a test may rely on. */
import { createRequire } from 'node:module';

interface RawParser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | Error;
  finish(): undefined | Error;
  [callback: number]: unknown;
}

interface ParserModule {
  HTTPParser: { new (): RawParser; REQUEST: number; RESPONSE: number; kOnHeadersComplete: number; kOnMessageComplete: number };
}

const { HTTPParser }: ParserModule = createRequire(import.meta.url)('node:_http_common');

export interface Verdict {
  accepted: boolean;
  /** Messages that were complete. */
  messages: number;
  heads: number;
}

/** What llhttp says of these bytes, all at once. */
export function judge(bytes: Buffer, type: 'request' | 'response' = 'request'): Verdict {
  const parser = new HTTPParser();
  parser.initialize(type === 'request' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {});
  const verdict: Verdict = { accepted: true, messages: 0, heads: 0 };
  parser[HTTPParser.kOnHeadersComplete] = () => {
    verdict.heads += 1;
    return 0;
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    verdict.messages += 1;
  };
  if (parser.execute(bytes) instanceof Error) verdict.accepted = false;
  return verdict;
}
