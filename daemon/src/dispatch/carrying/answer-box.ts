/** Seals an answer to its starter and signs it as the target, and opens it again. Pure except for the ports that sign and unseal. */
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { parsePeerKey } from '../../../../protocol/ids.ts';
import { hashHex, verifySignature } from '../../../../protocol/keys/signing.ts';
import { type AnswerBody, type AnswerFrame, type AnswerSeal, answerBody, MAX_ANSWER_BYTES } from '../../../../protocol/orders/answer.ts';
import type { Members } from '../dispatch.types.ts';

export type AnswerName = Omit<AnswerFrame, 'type' | 'sealed' | 'signature'>;

function sealBytes(domain: string, { starter, target, id, index, until, final }: AnswerName, sealed: Uint8Array): Uint8Array {
  const said: AnswerSeal = { answer: true, domain, starter, target, id, index, until, final, sealed: hashHex(sealed) };
  return encodeCbor(said);
}

/** Seals and signs an answer. Errors: KEY_WRONG, TOO_LARGE. */
export async function boxAnswer(
  members: Pick<Members, 'sign'>,
  domain: string,
  name: AnswerName,
  { part, records }: AnswerBody,
): Promise<AnswerFrame> {
  // Loaded on demand: few need the curve, and it takes time to load.
  const { seal } = await import('../../../../protocol/keys/sealing.ts');
  const sealed = seal(name.starter, encodeCbor({ part, records: Uint8Array.from(records) }));
  if (sealed.length > MAX_ANSWER_BYTES) throw new DtkdError('TOO_LARGE', `an answer has at most ${MAX_ANSWER_BYTES} bytes`);
  return { type: 'answer', ...name, sealed, signature: members.sign(domain, 'answer', sealBytes(domain, name, sealed)) };
}

/** True if the target that it names signed it. */
export function isAnswered(domain: string, answer: AnswerFrame): boolean {
  return verifySignature(parsePeerKey(answer.target), 'answer', sealBytes(domain, answer, answer.sealed), answer.signature);
}

/** Opens an answer that is sealed to this node. Errors: SIGNATURE_INVALID, FRAME_INVALID. */
export async function unboxAnswer(members: Pick<Members, 'unseal'>, domain: string, answer: AnswerFrame): Promise<AnswerBody> {
  const opened = await members.unseal(domain, answer.sealed);
  if (opened === undefined) throw new DtkdError('SIGNATURE_INVALID', 'the answer was not sealed to this node, or was altered');
  const body = decodeCbor(opened, answerBody, 'an answer');
  if (body.part.state !== 'ended' || body.part.index !== answer.index)
    throw new DtkdError('FRAME_INVALID', 'the answer does not say how the command ended');
  return body;
}
