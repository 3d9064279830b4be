import { z } from 'zod';
import { type Kind, READ_VERBS } from './kind.ts';

/** The creator of the object that an Event is about. The creator may see the Event. */
export const EVENT_CREATOR_ANNOTATION = 'dtkd.dev/object-creator';

export const involvedObject = z.object({
  apiVersion: z.string().describe('The API version of the object.'),
  kind: z.string().describe('The kind of the object.'),
  namespace: z.string().optional().describe('The namespace of the object.'),
  name: z.string().describe('The name of the object.'),
  uid: z.string().optional().describe('The UID of the object.'),
});

/** What happened to an object, for people. Kept for an hour, limited in number, never replicated. */
export const eventKind: Kind = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  scope: 'Namespaced',
  shared: false,
  verbs: READ_VERBS,
  description: 'A report of something that happened to an object. Events are kept for one hour.',
  schema: z.object({
    involvedObject: involvedObject.describe('The object that the event is about.'),
    reason: z.string().max(128).describe('The reason for the event: one CamelCase word, for programs.'),
    message: z.string().max(1024).describe('A description of what happened.'),
    type: z.enum(['Normal', 'Warning']).describe('The type of the event: Normal or Warning.'),
    count: z.number().int().positive().describe('How often the event has happened.'),
    firstTimestamp: z.string().describe('When the event first happened.'),
    lastTimestamp: z.string().describe('When the event last happened.'),
    source: z
      .object({ component: z.string().describe('The part of the daemon that reports the event.') })
      .optional()
      .describe('The source of the event.'),
  }),
  serverFields: ['involvedObject', 'reason', 'message', 'type', 'count', 'firstTimestamp', 'lastTimestamp', 'source'],
  selectableFields: [
    'involvedObject.apiVersion',
    'involvedObject.kind',
    'involvedObject.name',
    'involvedObject.namespace',
    'involvedObject.uid',
    'reason',
    'type',
  ],
  anonymous: true,
  columns: [
    { name: 'Last Seen', type: 'date', description: 'when it last happened', path: 'lastTimestamp', priority: 0 },
    { name: 'Type', type: 'string', description: 'Normal or Warning', path: 'type', priority: 0 },
    { name: 'Reason', type: 'string', description: 'one word for programs', path: 'reason', priority: 0 },
    {
      name: 'Object',
      type: 'string',
      description: 'the object that it is about',
      value: (event) => {
        const about = z.object({ kind: z.string(), name: z.string() }).safeParse(event['involvedObject']);
        return about.success ? `${about.data.kind.toLowerCase()}/${about.data.name}` : '';
      },
      priority: 0,
    },
    { name: 'Count', type: 'integer', description: 'how often it has happened', path: 'count', priority: 1 },
    { name: 'Message', type: 'string', description: 'description of what happened', path: 'message', priority: 0 },
  ],
};
