/** Reads what a client accepts, and what type its body has, from the headers. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { ROWS_MEDIA_TYPE } from '../../../../protocol/peers/remote.ts';

export type AnswerForm = 'json' | 'table' | 'metadata' | 'rows' | 'discovery';

interface MediaRange {
  type: string;
  parameters: Map<string, string>;
  quality: number;
}

/** Characters of a header that are parsed; the rest is ignored. */
const MAX_HEADER = 4096;

export function parseAccept(header: string | undefined): MediaRange[] {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', parameters: new Map(), quality: 1 }];
  return header
    .slice(0, MAX_HEADER)
    .split(',')
    .map((part) => {
      const [type = '', ...rest] = part.split(';').map((piece) => piece.trim());
      const parameters = new Map(
        rest.map((piece): [string, string] => {
          const cut = piece.indexOf('=');
          return cut === -1 ? [piece.toLowerCase(), ''] : [piece.slice(0, cut).trim().toLowerCase(), piece.slice(cut + 1).trim()];
        }),
      );
      const quality = Number(parameters.get('q') ?? '1');
      return { type: type.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 };
    })
    .filter((range) => range.type !== '' && range.quality > 0)
    .sort((a, b) => b.quality - a.quality);
}

/** The first form that the client accepts and that is offered. Protobuf is skipped: every client that asks for it names JSON second. */
export function answerForm(header: string | undefined, offered: readonly AnswerForm[] = ['json', 'table', 'metadata']): AnswerForm {
  // the usual headers need no parsing
  if ((header === undefined || header === 'application/json' || header === '*/*') && offered.includes('json')) return 'json';
  for (const range of parseAccept(header)) {
    const form = formOf(range);
    if (form !== undefined && offered.includes(form)) return form;
  }
  throw new DtkdError('NOT_ACCEPTABLE', `none of "${(header ?? '').slice(0, 200)}" can be answered`, { next: 'Accept application/json.' });
}

function formOf({ type, parameters }: MediaRange): AnswerForm | undefined {
  if (type === ROWS_MEDIA_TYPE) return 'rows';
  if (type !== '*/*' && type !== 'application/*' && type !== 'application/json') return undefined;
  const as = parameters.get('as');
  const group = parameters.get('g');
  switch (as) {
    case undefined:
      return 'json';
    case 'Table':
      return group === 'meta.k8s.io' ? 'table' : undefined;
    case 'PartialObjectMetadata':
    case 'PartialObjectMetadataList':
      return group === 'meta.k8s.io' ? 'metadata' : undefined;
    case 'APIGroupDiscoveryList':
      return group === 'apidiscovery.k8s.io' ? 'discovery' : undefined;
    default:
      return undefined;
  }
}

export type PatchForm = 'json-patch' | 'merge-patch' | 'strategic-merge-patch';

const STRATEGIC = 'application/strategic-merge-patch+json';
const APPLY = 'application/apply-patch+yaml';
const PATCH_TYPES = new Map<string, PatchForm>([
  ['application/json-patch+json', 'json-patch'],
  ['application/merge-patch+json', 'merge-patch'],
  [STRATEGIC, 'strategic-merge-patch'],
]);

/** The patch types that a kind accepts; strategic ones only if it is known how its lists are merged. */
export function patchTypes(strategic: boolean): string[] {
  return [...PATCH_TYPES.keys()].filter((type) => strategic || type !== STRATEGIC);
}

/** The form of a patch, by its content type. */
export function patchForm(contentType: string | undefined, strategic: boolean): PatchForm {
  const type = mediaType(contentType);
  const form = PATCH_TYPES.get(type);
  if (form !== undefined && patchTypes(strategic).includes(type)) return form;
  if (type === APPLY || type === 'application/apply-patch+cbor') {
    throw new DtkdError('UNSUPPORTED_MEDIA', 'server-side apply is not served', {
      next: `Use kubectl apply without --server-side, or send one of ${patchTypes(strategic).join(', ')}.`,
    });
  }
  const what =
    type === STRATEGIC
      ? 'objects of this kind take no strategic merge patches'
      : `a patch of type "${type.slice(0, 100)}" is not understood`;
  throw new DtkdError('UNSUPPORTED_MEDIA', what, {
    next: `${type === STRATEGIC ? 'Use kubectl patch --type merge, or send' : 'Send'} one of ${patchTypes(strategic).join(', ')}.`,
  });
}

/** The type in which kubectl sends objects that it makes from flags, as `kubectl create service` does. */
const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** Refuses bodies that are not declared as JSON. */
export function assertJson(contentType: string | undefined): void {
  const type = mediaType(contentType);
  if (type === '' || type === 'application/json') return;
  throw new DtkdError('UNSUPPORTED_MEDIA', `a body of type "${type.slice(0, 100)}" is not understood`, {
    next:
      type === PROTOBUF ? 'Send application/json, as kubectl does of what is in a file: kubectl create -f FILE.' : 'Send application/json.',
  });
}

/** The media type without its parameters. */
export function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}
