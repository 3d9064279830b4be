import { describe, expect, it } from 'vitest';
import { describeLines, headingOf } from '../../cli/output/describe.ts';

describe('headingOf', () => {
  it.each([
    ['inviteToken', 'Invite Token'],
    ['apiVersion', 'API Version'],
    ['dtDomain', 'Dt Domain'],
    ['URI', 'URI'],
    ['uid', 'UID'],
    ['id', 'Id'],
    ['authenticationURL', 'Authentication URL'],
    ['publicKey', 'Public Key'],
    ['http_port', 'http_port'],
    ['startup-rank', 'startup-rank'],
  ])('%s is %s', (field, heading) => {
    expect(headingOf(field)).toBe(heading);
  });
});

describe('describeLines', () => {
  const now = Date.parse('2026-01-01T01:00:00Z');

  it('shows names first, then all fields in the order of the alphabet, then events', () => {
    const object = {
      apiVersion: 'sid.sightlineinnovation.com/v1',
      kind: 'dtDomain',
      metadata: { name: 'mydomain', namespace: 'node0', labels: { a: '1', b: '2' }, uid: 'u', generation: 5 },
      status: 'Ready',
      peers: ['ca77', 'cb88'],
      spec: { peer: { address: '192.0.2.10' } },
      message: '',
    };
    const events = [
      {
        type: 'Warning',
        reason: 'PeerAway',
        message: 'node1 cannot be reached',
        count: 3,
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:59:00Z',
        source: { component: 'dtkd' },
      },
    ];
    expect(describeLines(object, events, now)).toEqual([
      'Name:         mydomain',
      'Namespace:    node0',
      'Labels:       a=1',
      '              b=2',
      'Annotations:  <none>',
      'API Version:  sid.sightlineinnovation.com/v1',
      'Kind:         dtDomain',
      'Message:      <none>',
      'Metadata:',
      '  Generation:  5',
      '  UID:         u',
      'Peers:',
      '  ca77',
      '  cb88',
      'Spec:',
      '  Peer:',
      '    Address:  192.0.2.10',
      'Status:       Ready',
      'Events:',
      '  Type      Reason     Age                 From   Message',
      '  ----      ------     ---                 ----   -------',
      '  Warning   PeerAway   60s (x3 over 60m)   dtkd   node1 cannot be reached',
    ]);
  });

  it('says that there are no events, or why they are not known, and escapes what other nodes wrote', () => {
    expect(describeLines({ metadata: { name: 'x' } }, 'nobody \u001btold', now).join()).toMatch(/Events: +<nobody .*told>$/);
    expect(describeLines({ metadata: { name: 'x' } }, 'nobody \u001btold', now).join()).not.toContain('\u001b');
    expect(describeLines({ metadata: { name: 'x' }, message: 'a\u001b[31m' }, [], now)).toEqual([
      'Name:         x',
      'Labels:       <none>',
      'Annotations:  <none>',
      'Message:      a\\u001b[31m',
      'Metadata:     <none>',
      'Events:       <none>',
    ]);
  });
});
