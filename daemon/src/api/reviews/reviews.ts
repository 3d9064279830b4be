/**
 * Answers questions that clients ask about themselves, as `kubectl auth can-i` and `kubectl auth whoami` do: who am I, may I do
 * this, what may I do. Stores nothing, and decides nothing: access/ decides these as it does every request.
 */
import type { z } from 'zod';
import { isRecord } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { apiVersionOf } from '../../../../protocol/kinds/kind.ts';
import {
  accessReviewSpec,
  type DiscoveredKind,
  REVIEWS,
  rulesReviewSpec,
  selfSubjectAccessReview,
  selfSubjectReview,
  selfSubjectRulesReview,
} from '../../../../protocol/kinds/review.ts';
import { displayOf } from '../../../../protocol/rights/principal.ts';
import { begin } from '../deciding/deciding.ts';
import type { AddRoute } from '../reception/reception.ts';
import { causesOf } from '../request/causes.ts';
import { answerForm, assertJson, mediaType } from '../request/media.ts';
import { type Api, type ApiContext, answerJson, namespaceOf, readBody, readJson } from '../request/request.ts';
import { rulesElsewhere } from './asking-owner.ts';
import { reviewPath } from './path-review.ts';
import { PROTOBUF, parseReview } from './protobuf.ts';
import { reviewResource } from './resource-review.ts';

/** Maximum size of a question, in bytes. */
const MAX_QUESTION = 64 * 1024;
/** Paths that everybody may read. */
const OPEN_PATHS = ['/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz', '/version'];

type Answer = { spec: unknown; status: unknown };

export function addReviews(api: Api, add: AddRoute): void {
  const answers = new Map<DiscoveredKind, (c: ApiContext, spec: unknown) => Answer | Promise<Answer>>([
    [selfSubjectReview, (c) => ({ spec: undefined, status: { userInfo: userInfo(api, c) } })],
    [selfSubjectAccessReview, (c, spec) => accessReview(api, c, spec)],
    [selfSubjectRulesReview, (c, spec) => rulesReview(api, c, spec)],
  ]);
  for (const review of REVIEWS) {
    const answer = answers.get(review);
    const path = `/apis/${apiVersionOf(review)}/${review.plural}`;
    if (answer !== undefined) add('POST', path, async (c) => answerReview(c, review, (spec) => answer(c, spec)));
    add('ALL', path, (c) => {
      throw new DtkdError('METHOD_NOT_ALLOWED', `${c.req.method} is not allowed at ${path}`, {
        next: 'It can only be created: send it with POST.',
      });
    });
  }
}

async function answerReview(c: ApiContext, kind: DiscoveredKind, answer: (spec: unknown) => Answer | Promise<Answer>): Promise<Response> {
  c.set('about', { group: kind.group, kind: kind.plural });
  begin(c, 'create', { kind, namespace: '', name: '' });
  // a question changes nothing
  c.get('note').change = false;
  answerForm(c.req.header('accept'), ['json']);
  const body = await readQuestion(c);
  if (!isRecord(body)) throw new DtkdError('BAD_REQUEST', 'the body is not an object', { next: `Send one ${kind.kind} as JSON.` });
  if (body['kind'] !== kind.kind || body['apiVersion'] !== apiVersionOf(kind)) {
    throw new DtkdError('BAD_REQUEST', 'the body is of another kind', {
      next: `This path takes kind "${kind.kind}" of apiVersion "${apiVersionOf(kind)}".`,
    });
  }
  const { spec, status } = await answer(body['spec'] ?? {});
  const metadata = { creationTimestamp: null };
  return answerJson(c, { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata, ...(spec === undefined ? {} : { spec }), status }, 201);
}

/** kubectl sends protobuf. */
async function readQuestion(c: ApiContext): Promise<unknown> {
  const type = c.req.header('content-type');
  if (mediaType(type) === PROTOBUF) return parseReview(await readBody(c, MAX_QUESTION));
  assertJson(type);
  return readJson(c, MAX_QUESTION);
}

function parsed<T>(kind: DiscoveredKind, schema: z.ZodType<T>, spec: unknown): T {
  const result = schema.safeParse(spec);
  if (result.success) return result.data;
  throw new DtkdError('INVALID', `${kind.kind} is invalid`, { details: { causes: causesOf(result.error, ['spec']) } });
}

function userInfo({ node }: Api, c: ApiContext): unknown {
  const principal = c.get('principal');
  const extra = { 'dtkd.dev/node': [node.name] };
  if (principal.type === 'operator') return { username: principal.name, groups: ['dtkd.dev:operators'], extra };
  return { username: displayOf(principal), uid: principal.uid, groups: ['dtkd.dev:users'], extra };
}

async function accessReview(api: Api, c: ApiContext, given: unknown): Promise<Answer> {
  const spec = parsed(selfSubjectAccessReview, accessReviewSpec, given);
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (
    (resourceAttributes ?? undefined) === undefined
      ? (nonResourceAttributes ?? undefined) === undefined
      : (nonResourceAttributes ?? undefined) !== undefined
  ) {
    throw new DtkdError('INVALID', 'exactly one of resourceAttributes and nonResourceAttributes is required', {
      details: { causes: [{ reason: 'FieldValueInvalid', message: 'exactly one of the two', field: 'spec' }] },
    });
  }
  const verdict = resourceAttributes
    ? await reviewResource(api, c, resourceAttributes)
    : reviewPath(api, c, nonResourceAttributes?.path ?? '');
  return { spec: given, status: verdict };
}

async function rulesReview(api: Api, c: ApiContext, given: unknown): Promise<Answer> {
  const spec = parsed(selfSubjectRulesReview, rulesReviewSpec, given);
  const principal = c.get('principal');
  const namespace = spec.namespace === '' ? api.node.name : namespaceOf(api, spec.namespace);
  const own = namespace === api.node.name;
  const { resourceRules, incomplete } = own ? api.access.rules(principal) : await rulesElsewhere(api, c, namespace);
  const everything = own && principal.type === 'operator';
  const status = {
    resourceRules: own && !everything ? [...resourceRules, ...ASKING] : resourceRules,
    nonResourceRules: own ? [{ verbs: everything ? ['*'] : ['get'], nonResourceURLs: everything ? ['*'] : OPEN_PATHS }] : [],
    incomplete: incomplete !== undefined,
    ...(incomplete === undefined ? {} : { evaluationError: incomplete }),
  };
  return { spec: { namespace: spec.namespace }, status };
}

/** Anybody may ask about themselves. */
const ASKING = REVIEWS.map(({ group, plural }) => ({ verbs: ['create'], apiGroups: [group], resources: [plural] }));
