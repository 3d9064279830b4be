/**
 * Redirects questions about derived objects to what they derive from. Pure. An Event is about an object, an EndpointSlice derives from
 * Endpoints; whoever may READ that object sees them, in full or not at all. So no grant has to be made twice, and none on Events reveals an
 * object that a user may not know of.
 */
import { EVENT_CREATOR_ANNOTATION, eventKind, involvedObject } from '../../../protocol/kinds/event.ts';
import { kindByPlural, kindOf } from '../../../protocol/kinds/index.ts';
import { CREATOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import type { Asked } from './access.types.ts';

export function isEvent({ group, plural }: Pick<Asked, 'group' | 'plural'>): boolean {
  return group === eventKind.group && plural === eventKind.plural;
}

/** The question to decide instead; undefined if it is about the object itself. */
export function reallyAsked(asked: Asked): Asked | undefined {
  if (asked.verb !== 'READ' && asked.verb !== 'DISCOVER') return undefined;
  return isEvent(asked) ? aboutInvolved(asked) : aboutSource(asked);
}

/** The kind whose rights decide what shows of a kind. */
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

/** The source of a derived object, with its labels and its creator, which derived objects inherit. */
function aboutSource({ group, plural, name, object }: Asked): Asked | undefined {
  const derivation = kindByPlural(group, plural)?.derived;
  if (derivation === undefined) return undefined;
  const about = { verb: 'READ', group: derivation.from.group, plural: derivation.from.plural } as const;
  if (object === undefined) return { ...about, name: derivation.sourceOf(name) ?? '' };
  const [owner] = object.metadata.ownerReferences ?? [];
  // the label that derivation adds is not one of the source's, so no grant may match by it
  const { [derivation.label]: source = '', ...labels } = object.metadata.labels ?? {};
  const metadata = { ...object.metadata, name: source, uid: owner?.uid ?? '', labels };
  return { ...about, name: source, object: { ...object, metadata } };
}
