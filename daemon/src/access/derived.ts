/**
 * Questions about what follows from something else: pure. An Event is about an object, an EndpointSlice is of Endpoints; whoever may READ that one
 * sees them, whole or not at all. So a grant on an object never has to be said twice, and none on Events tells of what somebody may not know.
 */
import { EVENT_CREATOR_ANNOTATION, eventKind, involvedObject } from '../../../protocol/kinds/event.ts';
import { kindByPlural, kindOf } from '../../../protocol/kinds/index.ts';
import { CREATOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import type { Asked } from './access.types.ts';

export function isEvent({ group, plural }: Pick<Asked, 'group' | 'plural'>): boolean {
  return group === eventKind.group && plural === eventKind.plural;
}

/** What is really asked; undefined if the question is about nothing but the object itself. */
export function reallyAsked(asked: Asked): Asked | undefined {
  if (asked.verb !== 'READ' && asked.verb !== 'DISCOVER') return undefined;
  return isEvent(asked) ? aboutInvolved(asked) : aboutSource(asked);
}

/** The kind that decides what shows of a kind. */
export function decidingKind(group: string, plural: string): { group: string; plural: string } {
  return kindByPlural(group, plural)?.derived?.from ?? { group, plural };
}

/** The object of an Event, with the labels and the creator that it had when the Event was written. */
function aboutInvolved({ object: event }: Asked): Asked | undefined {
  const involved = involvedObject.safeParse(event?.['involvedObject']).data;
  const kind = involved === undefined ? undefined : kindOf(involved);
  if (event === undefined || involved === undefined || kind === undefined || kind === eventKind) return undefined;
  const { name, namespace, uid = '' } = involved;
  const { [EVENT_CREATOR_ANNOTATION]: creator } = event.metadata.annotations ?? {};
  const { labels, resourceVersion, generation, creationTimestamp } = event.metadata;
  return {
    verb: 'READ',
    group: kind.group,
    plural: kind.plural,
    name,
    object: {
      apiVersion: involved.apiVersion,
      kind: involved.kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        uid,
        resourceVersion,
        generation,
        creationTimestamp,
        ...(labels === undefined ? {} : { labels }),
        ...(creator === undefined ? {} : { annotations: { [CREATOR_ANNOTATION]: creator } }),
      },
    },
  };
}

/** The source of what is derived; its labels and its creator are handed on. */
function aboutSource({ group, plural, name, object }: Asked): Asked | undefined {
  const derivation = kindByPlural(group, plural)?.derived;
  if (derivation === undefined) return undefined;
  const about = { verb: 'READ', group: derivation.from.group, plural: derivation.from.plural } as const;
  if (object === undefined) return { ...about, name: derivation.sourceOf(name) ?? '' };
  const [owner] = object.metadata.ownerReferences ?? [];
  // what deriving has put over the source's labels is none of them, and nobody is granted anything by it
  const { [derivation.label]: source = '', ...labels } = object.metadata.labels ?? {};
  const metadata = { ...object.metadata, name: source, uid: owner?.uid ?? '', labels };
  return { ...about, name: source, object: { ...object, metadata } };
}
