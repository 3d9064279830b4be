import { z } from 'zod';
import { type Kind, READ_VERBS } from './kind.ts';

/** The creator of the object that an Event is about. The creator may see the Event. */
export const EVENT_CREATOR_ANNOTATION = 'dtkd.dev/object-creator';

export const involvedObject = z.object({
  apiVersion: z.string().describe('Its API version.'),
  kind: z.string().describe('Its kind.'),
  namespace: z.string().optional().describe('Its namespace.'),
  name: z.string().describe('Its name.'),
  uid: z.string().optional().describe('Its uid.'),
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
  description: 'What happened to an object. Events are kept for an hour.',
  schema: z.object({
    involvedObject: involvedObject.describe('The object that it is about.'),
    reason: z.string().max(128).describe('One word for programs.'),
    message: z.string().max(1024).describe('A sentence for people.'),
    type: z.enum(['Normal', 'Warning']).describe('Normal or Warning.'),
    count: z.number().int().positive().describe('How often it happened.'),
    firstTimestamp: z.string().describe('When it first happened.'),
    lastTimestamp: z.string().describe('When it last happened.'),
    source: z
      .object({ component: z.string().describe('The part of the daemon.') })
      .optional()
      .describe('Who tells it.'),
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
    { name: 'Count', type: 'integer', description: 'how often', path: 'count', priority: 1 },
    { name: 'Message', type: 'string', description: 'a sentence for people', path: 'message', priority: 0 },
  ],
};
