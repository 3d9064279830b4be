/** The schemas and paths of questions that clients ask about themselves. Pure. */
import { apiVersionOf } from '../../../../protocol/kinds/kind.ts';
import {
  accessReviewSpec,
  type DiscoveredKind,
  rulesReviewSpec,
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
} from '../../../../protocol/kinds/review.ts';
import { OPEN, schemaOf } from './json-schema.ts';
import { FAILURE, operationName } from './kind-paths.ts';
import { fieldOf, OBJECT_META, refTo, schemaName } from './names.ts';
import type { Paths, Schema } from './schema.types.ts';

const text = (description: string): Schema => ({ type: 'string', description });
const texts = (description: string): Schema => ({ type: 'array', description, items: { type: 'string' } });
const rule = (properties: Record<string, Schema>): Schema => ({ type: 'object', description: 'One rule.', properties });

interface Question {
  description: string;
  spec?: Schema;
  /** Fields of the answer. */
  status: Record<string, Schema>;
}

const QUESTIONS = new Map<DiscoveredKind, Question>([
  [
    selfSubjectReview,
    {
      description: 'Who am I? Whose token the request bears.',
      status: {
        userInfo: {
          type: 'object',
          description: 'Who it is.',
          properties: {
            username: text('operator, or USER@NODE.'),
            uid: text('Uid of the User.'),
            groups: texts('dtkd.dev:operators or dtkd.dev:users.'),
            extra: { type: 'object', description: 'dtkd.dev/node: the node that answers.', additionalProperties: texts('Words.') },
          },
        },
      },
    },
  ],
  [
    selfSubjectAccessReview,
    {
      description: 'May I do this? Decided as the request itself would be; about objects of other nodes, by asking their owner.',
      spec: { ...schemaOf(accessReviewSpec), description: 'What is to be done.' },
      status: {
        allowed: { type: 'boolean', description: 'Yes.' },
        denied: { type: 'boolean', description: 'No.' },
        reason: text('Which right allows it, or why there is none.'),
        evaluationError: text('Why that could not be found out.'),
      },
    },
  ],
  [
    selfSubjectRulesReview,
    {
      description: 'What may I do? As far as rules can say it.',
      spec: { ...schemaOf(rulesReviewSpec), description: 'Where.' },
      status: {
        resourceRules: {
          type: 'array',
          description: 'What may be done with objects.',
          items: rule({
            verbs: texts('What may be done.'),
            apiGroups: texts('Groups of the kinds.'),
            resources: texts('Plurals of the kinds.'),
            resourceNames: texts('Only with these; absent: with all.'),
          }),
        },
        nonResourceRules: {
          type: 'array',
          description: 'What may be done with other paths.',
          items: rule({ verbs: texts('What may be done.'), nonResourceURLs: texts('The paths.') }),
        },
        incomplete: { type: 'boolean', description: 'There may be more than rules can say.' },
        evaluationError: text('Why.'),
      },
    },
  ],
]);

export function reviewSchemas(review: DiscoveredKind): Record<string, Schema> {
  const question = QUESTIONS.get(review);
  if (question === undefined) return {};
  const { description, spec, status } = question;
  return {
    [schemaName(review)]: {
      type: 'object',
      description,
      ...(spec === undefined ? {} : { required: ['spec'] }),
      properties: {
        apiVersion: text('Group and version of the kind.'),
        kind: text(`${review.kind}.`),
        metadata: fieldOf(OBJECT_META, 'Empty.'),
        ...(spec === undefined ? {} : { spec }),
        status: { type: 'object', description: 'The answer.', readOnly: true, properties: status, [OPEN]: true },
      },
      'x-kubernetes-group-version-kind': [{ group: review.group, version: review.version, kind: review.kind }],
    },
  };
}

export function reviewPaths(review: DiscoveredKind): Paths {
  const question = QUESTIONS.get(review);
  if (question === undefined) return {};
  const content = { 'application/json': { schema: refTo(schemaName(review)) } };
  return {
    [`/apis/${apiVersionOf(review)}/${review.plural}`]: {
      post: {
        operationId: operationName('create', review),
        summary: question.description.replace(/\?.*/, '?'),
        description: `${question.description} Nothing is stored.`,
        tags: [review.kind],
        requestBody: { required: true, content },
        responses: { '201': { description: 'The question with its answer.', content }, default: FAILURE },
        'x-kubernetes-action': 'post',
        'x-kubernetes-group-version-kind': { group: review.group, version: review.version, kind: review.kind },
      },
    },
  };
}

/** What a review is for, in words for people. */
export function reviewText(review: DiscoveredKind): string {
  return QUESTIONS.get(review)?.description ?? '';
}
