import type { ApiObject } from '../objects/objects.ts';

/** Returns an object recovered from a log, with the annotations of the stored one, which are in no log. */
export function withStoredAnnotations(published: ApiObject, stored: ApiObject | undefined): ApiObject {
  const annotations = stored?.metadata.uid === published.metadata.uid ? stored.metadata.annotations : undefined;
  return annotations === undefined ? published : { ...published, metadata: { ...published.metadata, annotations } };
}

/** Like `withStoredAnnotations`, for an object whose `subject` is known through a domain: the published form does not say which. */
export function adoptedBySubject(published: ApiObject | undefined, domain: string, stored: ApiObject | undefined): ApiObject | undefined {
  if (published === undefined) return undefined;
  const { subject } = published;
  const known = typeof subject === 'object' && subject !== null && !('home' in subject && subject.home === 'self');
  return withStoredAnnotations(known ? { ...published, subject: { ...subject, domain } } : published, stored);
}

/** Like `withStoredAnnotations`, for an object that is published whole except for its annotations. */
export function adoptedWhole(published: ApiObject | undefined, _domain: string, stored: ApiObject | undefined): ApiObject | undefined {
  return published === undefined ? undefined : withStoredAnnotations(published, stored);
}
