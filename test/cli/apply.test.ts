import { describe, expect, it } from 'vitest';
import { mergeDocument, sameUserFields } from '../../cli/client/apply.ts';
import { dtAppKind } from '../../protocol/kinds/dtapp.ts';
import { serviceKind } from '../../protocol/kinds/service.ts';

const stored = {
  apiVersion: 'sid.sightlineinnovation.com/v1',
  kind: 'dtApp',
  metadata: { name: 'wiki', uid: 'u', resourceVersion: '4', labels: { old: '1' }, annotations: { kept: 'yes' } },
  spec: { serviceSelector: { name: 'wiki' } },
  serviceSelector: { name: 'gone' },
  URI: 'http://x',
  status: 'Ready',
};

describe('mergeDocument', () => {
  it('replaces what users write, keeps what the daemon writes', () => {
    const document = {
      apiVersion: stored.apiVersion,
      kind: 'dtApp',
      metadata: { name: 'wiki' },
      spec: { serviceSelector: { name: 'new' } },
      status: 'x',
    };
    expect(mergeDocument(dtAppKind, stored, document)).toEqual({
      apiVersion: stored.apiVersion,
      kind: 'dtApp',
      metadata: stored.metadata,
      spec: { serviceSelector: { name: 'new' } },
      URI: 'http://x',
      status: 'Ready',
    });
  });

  it('replaces labels where some are given, and adds annotations', () => {
    const document = { metadata: { name: 'wiki', labels: { new: '2' }, annotations: { more: 'too' } } };
    expect(mergeDocument(dtAppKind, stored, document)['metadata']).toMatchObject({
      labels: { new: '2' },
      annotations: { kept: 'yes', more: 'too' },
    });
  });

  it("adds finalizers and owners, and takes nothing that is the server's", () => {
    const owner = (uid: string, name: string) => ({ apiVersion: 'v1', kind: 'Service', name, uid });
    const there = {
      ...stored,
      metadata: { ...stored.metadata, finalizers: ['a.b/c'], ownerReferences: [owner('1', 'x'), owner('2', 'y')] },
    };
    const meta = { name: 'wiki', uid: 'other', generation: 9, finalizers: ['a.b/d'], ownerReferences: [owner('2', 'z')], labels: null };
    expect(mergeDocument(dtAppKind, there, { metadata: meta })['metadata']).toEqual({
      ...stored.metadata,
      finalizers: ['a.b/c', 'a.b/d'],
      ownerReferences: [owner('1', 'x'), owner('2', 'z')],
    });
  });

  it('leaves fields that no object has to the daemon, which refuses them', () => {
    const document = { metadata: { name: 'wiki', lables: { a: 'b' } } };
    expect(mergeDocument(dtAppKind, stored, document)['metadata']).toMatchObject({ lables: { a: 'b' } });
  });

  it("keeps a document's own resourceVersion as a precondition", () => {
    expect(mergeDocument(dtAppKind, stored, { metadata: { resourceVersion: '3' } })['metadata']).toMatchObject({ resourceVersion: '3' });
  });
});

describe('sameUserFields', () => {
  it('takes no notice of what the daemon writes', () => {
    expect(
      sameUserFields(dtAppKind, stored, { ...stored, status: 'NoService', metadata: { ...stored.metadata, resourceVersion: '9' } }),
    ).toBe(true);
    expect(sameUserFields(dtAppKind, stored, { ...stored, spec: {} })).toBe(false);
    expect(sameUserFields(dtAppKind, stored, { ...stored, metadata: { ...stored.metadata, labels: {} } })).toBe(false);
  });

  it('takes fields that are not known here for a change, so that the daemon sees them', () => {
    const same = (wanted: object) => sameUserFields(dtAppKind, stored, { ...stored, ...wanted });
    expect(same({ metadata: { ...stored.metadata, lables: {} } })).toBe(false);
    expect(same({ metadata: { ...stored.metadata, finalizers: ['a.b/c'] } })).toBe(false);
    expect(same({ spec: { ...stored.spec, serviceSelecter: {} } })).toBe(false);
    expect(same({ sepc: {} })).toBe(false);
  });

  it('counts defaults as written', () => {
    const service = (port: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec: { ports: [port] } });
    expect(sameUserFields(serviceKind, service({ port: 80 }), service({ port: 80, protocol: 'TCP' }))).toBe(true);
  });
});
