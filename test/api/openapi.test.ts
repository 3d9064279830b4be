import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentV2 } from '../../daemon/src/api/openapi/document-v2.ts';
import { documentV3 } from '../../daemon/src/api/openapi/document-v3.ts';
import { exampleOf } from '../../daemon/src/api/openapi/examples.ts';
import { kindSchemas } from '../../daemon/src/api/openapi/kind-schemas.ts';
import { metaSchemas } from '../../daemon/src/api/openapi/meta-schemas.ts';
import { schemaName } from '../../daemon/src/api/openapi/names.ts';
import { referenceDocument } from '../../daemon/src/api/openapi/reference-document.ts';
import { reviewSchemas } from '../../daemon/src/api/openapi/review-document.ts';
import type { DocumentV3, Schema } from '../../daemon/src/api/openapi/schema.types.ts';
import { METHODS } from '../../daemon/src/api/openapi/schema.types.ts';
import { parseDocument } from '../../daemon/src/api/writing/document.ts';
import { KINDS } from '../../protocol/kinds/index.ts';
import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import { REVIEWS } from '../../protocol/kinds/review.ts';
import { startTestApi, type TestApi } from './fixtures.ts';

const GOLDEN = join(import.meta.dirname, 'openapi.golden.txt');
const ALL = { kinds: KINDS, reviews: REVIEWS };
const GROUPS = [...new Set([...KINDS, ...REVIEWS].map(apiVersionOf))];
const documentOf = (groupVersion: string): DocumentV3 => {
  const here = (kind: { group: string; version: string }) => apiVersionOf(kind) === groupVersion;
  return documentV3({ kinds: KINDS.filter(here), reviews: REVIEWS.filter(here) }, '0');
};
/** Made once: tests only look at it. */
const all = documentV3(ALL, '0');
const whole = (): DocumentV3 => all;

/** Fields of a schema at every depth, by their paths. */
function* fieldsOf(schema: Schema, path: string): Generator<[path: string, field: Schema]> {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    yield [`${path}.${name}`, field];
    yield* fieldsOf(field, `${path}.${name}`);
  }
  if (schema.items !== undefined) yield* fieldsOf(schema.items, `${path}[]`);
  if (schema.additionalProperties !== undefined) yield* fieldsOf(schema.additionalProperties, `${path}{}`);
  for (const variant of schema.anyOf ?? []) yield* fieldsOf(variant, path);
}

describe('the documents', () => {
  it.each(GROUPS)('that of %s is valid OpenAPI 3.0', async (groupVersion) => {
    const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(documentOf(groupVersion))));
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
  });

  it('the one of version 2 is valid, and so is the one for people', async () => {
    for (const document of [documentV2(whole()), referenceDocument(ALL, '0')]) {
      const { valid, errors } = await new Validator().validate(JSON.parse(JSON.stringify(document)));
      expect(errors).toBeUndefined();
      expect(valid).toBe(true);
    }
  });

  it('refer to nothing that they do not have', () => {
    for (const document of [...GROUPS.map(documentOf), documentV2(whole())]) {
      const refs = new Set([...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, ref = '']) => ref));
      const missing = [...refs].filter((ref) => {
        const found = ref
          .split('/')
          .reduce<unknown>((at, step) => (at === undefined ? undefined : Reflect.get(Object(at), step)), document);
        return found === undefined;
      });
      expect(missing).toEqual([]);
    }
  });

  it('name each operation once', () => {
    const names = Object.values(referenceDocument(ALL, '0').paths).flatMap((item) =>
      METHODS.flatMap((method) => item[method]?.operationId ?? []),
    );
    expect(names.length).toBeGreaterThan(150);
    expect(names).toEqual([...new Set(names)]);
  });

  it.each(KINDS.map((kind) => [kind.kind, kind] as const))('say of every field of %s what it is', (_, kind) => {
    const undescribed = Object.entries(kindSchemas(kind))
      .flatMap(([name, schema]) => [...fieldsOf(schema, name)])
      .filter(([, field]) => field.description === undefined || field.description === '')
      .map(([path]) => path);
    expect(undescribed).toEqual([]);
  });

  it('say the same of questions, and of what all kinds share', () => {
    const undescribed = [metaSchemas(), ...REVIEWS.map(reviewSchemas)]
      .flatMap((schemas) => Object.entries(schemas))
      .flatMap(([name, schema]) => [...fieldsOf(schema, name)])
      .filter(([, field]) => field.description === undefined)
      .map(([path]) => path);
    expect(undescribed).toEqual([]);
  });

  it('have an example of each kind that users create, and it is what the kind wants', () => {
    for (const kind of KINDS.filter(({ verbs }) => verbs.includes('create'))) {
      const example = exampleOf(kind);
      expect(example, `an example of ${kind.kind} in examples.ts`).toBeDefined();
      expect(parseDocument(kind, example).unknown).toEqual([]);
    }
  });

  it('let clients write seeds: selectors and a status as text at the top level', () => {
    const { properties = {}, required } =
      documentOf('sid.sightlineinnovation.com/v1').components.schemas['com.sightlineinnovation.sid.v1.dtApp'] ?? {};
    expect(properties['serviceSelector']?.type).toBe('object');
    expect(properties['status']).toMatchObject({ type: 'string', readOnly: true });
    expect(required).toBeUndefined();
  });

  it('declare no properties of free-form maps', () => {
    const resource = documentOf('dtkd.dev/v1').components.schemas['dev.dtkd.v1.Resource'];
    const map = resource?.properties?.['spec']?.properties?.['properties'];
    expect(map?.properties).toBeUndefined();
    expect(map?.additionalProperties).toMatchObject({ 'x-kubernetes-preserve-unknown-fields': true });
  });

  it('say how lists of core kinds are merged', () => {
    const { schemas } = documentOf('v1').components;
    expect(schemas['io.k8s.api.core.v1.Service']?.properties?.['spec']?.properties?.['ports']).toMatchObject({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port'],
      'x-kubernetes-patch-merge-key': 'port',
      'x-kubernetes-patch-strategy': 'merge',
    });
    expect(schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']?.properties?.['finalizers']).toMatchObject({
      'x-kubernetes-list-type': 'set',
    });
  });

  it('are as they were: what changed is shown by this file', () => {
    const document = whole();
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      METHODS.flatMap((method) => (item[method] === undefined ? [] : [`${method.toUpperCase().padEnd(6)} ${path}`])),
    );
    const fields = KINDS.flatMap((kind) => {
      const schema = document.components.schemas[schemaName(kind)] ?? {};
      return [...fieldsOf(schema, kind.kind)].map(
        ([path, { type, allOf }]) => `${path} ${type ?? allOf?.[0]?.$ref?.split('.').at(-1) ?? 'any'}`,
      );
    });
    const summary = `${[...operations.sort(), '', ...[...new Set(fields)].sort()].join('\n')}\n`;
    if (process.env['DTKD_WRITE_GOLDEN'] !== undefined) writeFileSync(GOLDEN, summary);
    expect(summary, 'DTKD_WRITE_GOLDEN=1 writes the file anew').toBe(readFileSync(GOLDEN, 'utf8'));
  });
});

describe('what is served', () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi();
  });
  afterAll(() => api.close());
  const without = { token: '' };

  it('needs no token, and names each group with the hash of its document', async () => {
    const { status, body } = await api.ask('GET', '/openapi/v3', without);
    expect(status).toBe(200);
    expect(Object.keys(body.paths)).toEqual(GROUPS.map((groupVersion) => (groupVersion === 'v1' ? 'api/v1' : `apis/${groupVersion}`)));
    for (const { serverRelativeURL } of Object.values<{ serverRelativeURL: string }>(body.paths)) {
      const document = await api.ask('GET', serverRelativeURL, without);
      expect(document.status).toBe(200);
      expect(document.body.openapi).toBe('3.0.0');
      expect(document.headers['cache-control']).toContain('immutable');
    }
  });

  it('leads whoever has an old address to the present one', async () => {
    const { status, headers } = await api.ask('GET', '/openapi/v3/api/v1?hash=OLD', without);
    expect(status).toBe(301);
    expect((await api.ask('GET', headers.location ?? '', without)).status).toBe(200);
  });

  it('answers 304 to who has it, and compressed to who takes it so', async () => {
    const plain = await api.ask('GET', '/openapi/v2', without);
    const { etag = '' } = plain.headers;
    expect((await api.ask('GET', '/openapi/v2', { ...without, headers: { 'if-none-match': etag } })).status).toBe(304);
    const answer = await api.open('GET', '/openapi/v2', { ...without, headers: { 'accept-encoding': 'gzip' } });
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part);
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(Buffer.concat(parts).length).toBeLessThan(plain.text.length / 5);
    expect(gunzipSync(Buffer.concat(parts)).toString()).toBe(plain.text);
  });

  it('answers kubectl with protocol buffers, and others with JSON', async () => {
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    const answer = await api.ask('GET', '/openapi/v2', { ...without, headers: { accept } });
    expect(answer.headers['content-type']).toBe('application/com.github.proto-openapi.spec.v2.v1.0+protobuf');
    expect(answer.text.slice(0, 5)).toBe('\n\u00032.0');
    expect((await api.ask('GET', '/openapi/v2', without)).body.swagger).toBe('2.0');
  });

  it('is let in by no other host name, and by no other page', async () => {
    expect((await api.ask('GET', '/reference/', { ...without, headers: { host: 'evil.example' } })).status).toBe(403);
    expect((await api.ask('GET', '/openapi/v3', { ...without, headers: { origin: 'https://evil.example' } })).status).toBe(403);
  });

  it('is a page that loads nothing from elsewhere, and runs no script that stands in it', async () => {
    expect((await api.ask('GET', '/reference', without)).headers.location).toBe('/reference/');
    expect((await api.ask('GET', '/', { ...without, headers: { accept: 'text/html,*/*;q=0.8' } })).headers.location).toBe('/reference/');
    expect((await api.ask('GET', '/', without)).status).toBe(401);
    const { status, headers, text } = await api.ask('GET', '/reference/', without);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(headers['content-security-policy']).toContain("script-src 'self';");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['x-frame-options']).toBe('DENY');
    expect(text).not.toMatch(/https?:\/\//);
    for (const [, address = ''] of text.matchAll(/(?:src|href|spec-url)="((?!data:)[^"]+)"/g)) {
      const part = await api.ask('GET', `/reference/${address}`, without);
      expect(part.status, address).toBe(200);
      expect(part.headers['x-content-type-options']).toBe('nosniff');
    }
  });

  it('has nothing elsewhere', async () => {
    for (const path of ['/openapi/v3/apis/nothing/v1', '/openapi/v3/', '/reference/nothing', '/reference/../ca.key', '/openapi/v4']) {
      expect([401, 404], path).toContain((await api.ask('GET', path, without)).status);
    }
  });
});
