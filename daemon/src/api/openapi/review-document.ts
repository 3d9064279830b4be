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
const rule = (properties: Record<string, Schema>): Schema => ({ type: 'object', description: 'A rule.', properties });

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
      description: 'Who am I? Shows the user of the token that the request carries.',
      status: {
        userInfo: {
          type: 'object',
          description: 'The user.',
          properties: {
            username: text('operator, or USER@NODE.'),
            uid: text('The UID of the User.'),
            groups: texts('dtkd.dev:operators or dtkd.dev:users.'),
            extra: { type: 'object', description: 'dtkd.dev/node: the node that answers.', additionalProperties: texts('The values.') },
          },
        },
      },
    },
  ],
  [
    selfSubjectAccessReview,
    {
      description: 'May I do this? Decides like the request itself would be decided. For objects of other nodes, it asks their owner.',
      spec: { ...schemaOf(accessReviewSpec), description: 'The action to review.' },
      status: {
        allowed: { type: 'boolean', description: 'Yes.' },
        denied: { type: 'boolean', description: 'No.' },
        reason: text('The right that allows it, or why there is none.'),
        evaluationError: text('Why this could not be decided.'),
      },
    },
  ],
  [
    selfSubjectRulesReview,
    {
      description: 'What may I do? Lists it as far as rules can express it.',
      spec: { ...schemaOf(rulesReviewSpec), description: 'The node to review the rules of.' },
      status: {
        resourceRules: {
          type: 'array',
          description: 'The rules for objects.',
          items: rule({
            verbs: texts('The allowed verbs.'),
            apiGroups: texts('The API groups of the kinds.'),
            resources: texts('The plurals of the kinds.'),
            resourceNames: texts('The names of the objects. Default: all objects.'),
          }),
        },
        nonResourceRules: {
          type: 'array',
          description: 'The rules for other paths.',
          items: rule({ verbs: texts('The allowed verbs.'), nonResourceURLs: texts('The paths.') }),
        },
        incomplete: { type: 'boolean', description: 'Whether more may be allowed than rules can express.' },
        evaluationError: text('Why the rules are incomplete.'),
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
        apiVersion: text('The API version of the kind: group and version.'),
        kind: text(`${review.kind}.`),
        metadata: fieldOf(OBJECT_META, 'Empty.'),
        ...(spec === undefined ? {} : { spec }),
        status: { type: 'object', description: 'The result.', readOnly: true, properties: status, [OPEN]: true },
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
        description: `${question.description} Stores nothing.`,
        tags: [review.kind],
        requestBody: { required: true, content },
        responses: { '201': { description: 'The review with its result.', content }, default: FAILURE },
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
