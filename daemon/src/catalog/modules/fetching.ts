/**
 * Fetches released modules to this node, for staging. Verifies each against its publisher's signature, stores it with the asker's rights,
 * and lets members fetch it from here. A module's name stays with the publishers of the versions here. Does not make its types those of the
 * node.
 */
import { jsonEqual } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { RELEASE_CHUNK_BYTES } from '../../../../protocol/kinds/release.ts';
import { isInRange } from '../../../../protocol/modules/resolve.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { assertMayKeep, type InstallingOptions, writeVersion } from './installing.ts';
import { INSTALLED_MS } from './limits.ts';
import type { ModuleEvents, PieceFetcher } from './ports.ts';
import { type Asker, progressLine } from './progress.ts';
import type { Released } from './releases.ts';
import { moduleFields } from './types.ts';
import { assertReplaceable, assertRoom, type VersionHere, versionsHere } from './versions.ts';

export interface FetchingOptions extends InstallingOptions {
  content: PieceFetcher;
  events: ModuleEvents;
  logger: Logger;
}

/** Selects a release. */
export interface Wanted {
  module: string;
  range?: string | undefined;
  /** The node that published it. */
  from?: string | undefined;
}

/** Chooses the newest release in the range. Errors: NOT_FOUND, NO_MATCH, CONFLICT, AMBIGUOUS. Pure. */
export function chooseRelease({ module, range, from }: Wanted, releases: readonly Released[], here: readonly VersionHere[]): Released {
  if (releases.length === 0) {
    throw new DtkdError('NOT_FOUND', `nobody has released a module ${module} to this node's domains`, {
      next: 'See "dtkd module ls --released"; its publisher offers it with "dtkd module publish".',
    });
  }
  const own = from === undefined ? releases : releases.filter(({ node }) => node === from);
  const publishers = [...new Set(releases.map(({ node }) => node))];
  if (own.length === 0) {
    throw new DtkdError('NOT_FOUND', `${from ?? ''} has not released a module ${module}; ${publishers.join(', ')} has`, {
      next: 'Name one of those with --from.',
    });
  }
  const pinned = pinnedTo(own, here);
  if (pinned.length === 0) {
    throw new DtkdError(
      'CONFLICT',
      `module ${module} is here from ${publisherNames(here)}, and ${[...new Set(own.map(({ node }) => node))].join(', ')} publishes another module with that name`,
      {
        next: `On a node, a name belongs to one publisher: remove the module that is here first (dtkd module rm ${module}).`,
      },
    );
  }
  const left = [...new Set(pinned.map(({ node }) => node))];
  if (left.length > 1) {
    throw new DtkdError('AMBIGUOUS', `module ${module} is released by ${left.join(' and ')}: these are different modules`, {
      next: `Name the publisher: dtkd module fetch ${module} --from ${left[0] ?? 'NODE'}.`,
      details: { publishers: left },
    });
  }
  // without a range, a pre-release is taken only if there is nothing else
  const found = pinned.find(({ fields }) => isInRange(fields.version, range ?? '*')) ?? (range === undefined ? pinned[0] : undefined);
  if (found !== undefined) return found;
  throw new DtkdError(
    'NO_MATCH',
    `no release of ${module} is in ${range ?? ''}; ${left[0] ?? ''} has ${pinned.map(({ fields }) => fields.version).join(', ')}`,
    {
      next: 'Name another range.',
    },
  );
}

/** The releases by publishers of the versions here; all releases if there are no versions here. */
export function pinnedTo(releases: readonly Released[], here: readonly VersionHere[]): Released[] {
  const keys = new Set(here.map(({ fields }) => fields.publisher.key));
  return releases.filter(({ fields }) => keys.size === 0 || keys.has(fields.publisher));
}

/**
 * Fetches a release and keeps it as a version that can be staged. Errors: FORBIDDEN, CONFLICT, CONTENT_MISSING, CONTENT_ALTERED, INVALID,
 * DISK_FULL; TIMEOUT when the signal aborts.
 */
export async function takeRelease(options: FetchingOptions, released: Released, asker: Asker): Promise<void> {
  const { store, node, library } = options;
  const { fields: release, signed } = released;
  const { module, version, digest, size } = release;
  assertMayKeep(options, asker.principal, release);
  asker.tell({ fetching: { module, version, publisher: released.node, size } });
  await fetchArchive(options, released, asker);
  const bytes = await library.bytes(digest);
  const { manifest, archive } = await library.take(signed, bytes);
  if (!jsonEqual(manifest.dependencies ?? {}, release.dependencies ?? {})) {
    throw new DtkdError(
      'CONTENT_ALTERED',
      `the release of ${module} ${version} by ${released.node} does not name the modules that it needs`,
      {
        next: `Tell the operator of ${released.node}.`,
      },
    );
  }
  const code = { name: module, version, digest, publisher: release.publisher };
  const fields = moduleFields({
    manifest,
    code,
    node: released.node,
    signed,
    size: bytes.length,
    files: archive.files.length,
    active: false,
  });
  await store.transact(async (tx) => {
    const here = await versionsHere(tx, node, module);
    const before = here.find((one) => one.fields.version === version);
    if (before?.fields.digest === digest) return;
    assertRoom(here, fields);
    assertReplaceable(here, fields, false);
    if (pinnedTo([released], here).length === 0) chooseRelease({ module }, [released], here);
    await writeVersion(options, tx, { principal: asker.principal, manifest, fields, signed, before, touch: false });
  });
  await library.allow(digest, INSTALLED_MS);
  asker.tell({ fetched: { module, version, publisher: released.node } });
}

async function fetchArchive({ content, events, logger }: FetchingOptions, released: Released, asker: Asker): Promise<void> {
  const { fields, object, pieces, member, node: publisher } = released;
  const { module, version, digest, size } = fields;
  const altered = new Set<string>();
  const record = (reason: string, message: string) => events.record({ about: object, type: 'Warning', reason, message });
  const recordAltered = () => {
    for (const node of altered)
      record(
        'AlteredCopy',
        `${node} serves an altered copy of ${module} ${version}; it was not taken, and ${node} is not asked for it again`,
      );
  };
  try {
    await content.fetchPieces({
      digest,
      size,
      pieceBytes: RELEASE_CHUNK_BYTES,
      pieces,
      prefer: member === undefined ? [] : [member],
      signal: asker.signal,
      onProgress: (progress) => asker.tell(progressLine(progress)),
      onAltered: ({ node }) => {
        altered.add(node);
        asker.tell({ altered: { member: node } });
        logger.warn({ module, version, digest, from: node }, 'A member serves an altered copy of a released module');
      },
    });
    recordAltered();
  } catch (error) {
    if (!(error instanceof DtkdError) || error.details?.['toldWrong'] !== true) {
      recordAltered();
      throw error;
    }
    // The pieces match the hashes in the release, but the whole does not match what the publisher signed: members that served other pieces
    // may have been right.
    const message = `the release of ${module} ${version} by ${publisher} has wrong hashes of its pieces; it was not taken`;
    record('ReleaseWrong', message);
    throw new DtkdError('CONTENT_ALTERED', message, { next: `Tell the operator of ${publisher}.`, cause: error });
  }
}

function publisherNames(here: readonly VersionHere[]): string {
  return [...new Set(here.map(({ fields }) => fields.publisher.node))].join(', ');
}
