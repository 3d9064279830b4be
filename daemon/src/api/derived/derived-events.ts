/**
 * Converts changes of source objects into changes of the objects derived from them. The changes of each source stay in order, so
 * that a cache that follows them is right.
 */
import type { Derivation } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { WatchEvent } from '../../store/object-store.types.ts';

type ObjectEvent = Exclude<WatchEvent, { type: 'BOOKMARK' }>;

export async function* derivedEvents(
  events: AsyncIterable<WatchEvent>,
  derivation: Derivation,
  matches: (object: ApiObject) => boolean,
): AsyncGenerator<WatchEvent> {
  for await (const event of events) {
    if (event.type === 'BOOKMARK') yield event;
    else yield* changesOf(event, derivation, matches);
  }
}

/** The changes that one change of a source causes in its derived objects. Pure. */
export function* changesOf(
  { type, object, previous, version }: ObjectEvent,
  derivation: Derivation,
  matches: (object: ApiObject) => boolean,
): Generator<ObjectEvent> {
  const objects = (source: ApiObject | undefined) => (source === undefined ? [] : derivation.objects(source).filter(matches));
  const before = type === 'MODIFIED' ? objects(previous) : type === 'DELETED' ? objects(object) : [];
  const now = type === 'DELETED' ? [] : objects(object);
  const { resourceVersion } = object.metadata;
  const names = new Set(now.map(({ metadata }) => metadata.name));
  for (const gone of before) {
    if (!names.has(gone.metadata.name))
      yield { type: 'DELETED', object: { ...gone, metadata: { ...gone.metadata, resourceVersion } }, version };
  }
  const had = new Map(before.map((each) => [each.metadata.name, each]));
  for (const each of now) {
    const was = had.get(each.metadata.name);
    yield was === undefined ? { type: 'ADDED', object: each, version } : { type: 'MODIFIED', object: each, previous: was, version };
  }
}
