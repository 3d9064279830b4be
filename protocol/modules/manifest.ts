/** Reads `dtk.module.yaml`: limited in size, safe from expanding aliases, and with errors that name the wrong field. */
import { z } from 'zod';
import { MANIFEST_FILE, MAX_MANIFEST_BYTES, type ModuleArchive, type ModuleManifest, moduleManifest } from '../definitions/module.ts';
import { DtkdError } from '../errors.ts';
import { issueText } from '../text/issue-text.ts';
import { readYaml } from './yaml.ts';

/** Maximum number of faults in one refusal. */
const MAX_CAUSES = 20;

/** A fault of a module: where, and what. */
export interface ModuleFault {
  /** `types.WebService.commands.Start.script.file`. */
  field: string;
  message: string;
  /** Its place in the module if it is not in the manifest: `templates/index.html:3:5`. */
  place?: string | undefined;
}

/** Parses a manifest. Errors: TOO_LARGE, INVALID naming file, line and field. */
export async function readManifest(text: string, source = MANIFEST_FILE): Promise<ModuleManifest> {
  if (Buffer.byteLength(text) > MAX_MANIFEST_BYTES) {
    throw new DtkdError('TOO_LARGE', `${source} is larger than ${MAX_MANIFEST_BYTES / 1024} KiB`, { next: 'Split the module.' });
  }
  const parsed = moduleManifest.safeParse(await readYaml(text, source));
  if (parsed.success) return parsed.data;
  throw moduleInvalid(
    parsed.error.issues.flatMap((issue) => faultsOf(issue)),
    source,
  );
}

/** Returns the manifest of an archive. Errors: TOO_LARGE, INVALID. */
export async function manifestOf(archive: ModuleArchive): Promise<ModuleManifest> {
  const file = archive.files.find(({ path }) => path === MANIFEST_FILE);
  if (file === undefined) throw new DtkdError('INVALID', `the module has no ${MANIFEST_FILE}`);
  if (file.data.length > MAX_MANIFEST_BYTES) {
    throw new DtkdError('TOO_LARGE', `${MANIFEST_FILE} is larger than ${MAX_MANIFEST_BYTES / 1024} KiB`, { next: 'Split the module.' });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(file.data);
  } catch (cause) {
    throw new DtkdError('INVALID', `${MANIFEST_FILE} is not UTF-8 text`, { cause });
  }
  return readManifest(text);
}

/** Returns the error for a module with faults: the first ones in the message, up to MAX_CAUSES in the details. */
export function moduleInvalid(faults: readonly ModuleFault[], source = MANIFEST_FILE): DtkdError {
  const shown = faults.slice(0, 5).map(({ field, message, place }) => `${field}${place === undefined ? '' : ` (${place})`}: ${message}`);
  const more = faults.length > shown.length ? ` and ${faults.length - shown.length} more` : '';
  return new DtkdError('INVALID', `${source}: ${shown.join('; ')}${more}`, {
    next: 'Correct it; "dtkd module validate DIR" lists all errors.',
    details: { causes: faults.slice(0, MAX_CAUSES).map((fault) => ({ reason: 'FieldValueInvalid', ...fault })) },
  });
}

const causes = z.array(z.object({ field: z.string(), message: z.string(), place: z.string().optional() }));

/** Returns the faults in the details of such an error. */
export function faultsIn(error: DtkdError): ModuleFault[] {
  return causes.safeParse(error.details?.['causes']).data ?? [];
}

/** Lists the faults of an issue. If a value may be one of several things, reports what is wrong with the nearest one. */
function faultsOf(issue: z.core.$ZodIssue, base: readonly PropertyKey[] = []): ModuleFault[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [nearest] = [...issue.errors].sort((a, b) => depthOf(b) - depthOf(a));
    if (nearest !== undefined && depthOf(nearest) > 0) return nearest.flatMap((inner) => faultsOf(inner, path));
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: fieldText([...path, key]), message: 'there is no such field' }));
  }
  if (issue.code === 'invalid_key') {
    return [{ field: fieldText(path), message: issue.issues[0]?.message ?? issue.message }];
  }
  return [{ field: fieldText(path), message: issueText(issue.message) }];
}

function depthOf(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map(({ path }) => path.length));
}

function fieldText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part).slice(0, 120)}`)).join('');
  return text === '' ? 'the file' : text.replace(/^\./, '');
}
