/** Detects the format of a file and reads it. */
import { DtkdError } from '../../protocol/errors.ts';
import { DTKD_GROUP } from '../../protocol/kinds/model.ts';
import { isRecord, textAt } from '../json.ts';
import { readAnsibleIni } from './ansible-ini.ts';
import { looksLikeAnsible, readAnsibleYaml } from './ansible-yaml.ts';
import { readControlTier } from './controltier.ts';
import type { Draft } from './draft.ts';
import { looksLikeRundeck, readRundeckXml, readRundeckYaml } from './rundeck.ts';
import { parseYaml } from './yaml.ts';

export const IMPORT_FORMATS = ['dtkd', 'controltier', 'rundeck', 'ansible'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** Returns `dtkd` if the text is dtkd's own YAML, which needs no draft. */
export async function readForeign(text: string, source: string, format?: ImportFormat): Promise<Draft | 'dtkd'> {
  if (format === 'dtkd') return 'dtkd';
  if (text.trim() === '') throw new DtkdError('BAD_REQUEST', `${source}: the file is empty`);
  if (text.trimStart().startsWith('<')) return readXml(text, source, format);
  if (isInventoryIni(text, source)) {
    if (format === 'rundeck' || format === 'controltier') throw notThat(source, format, 'an INI file');
    return readAnsibleIni(text, source);
  }
  if (/^[ \t]*apiVersion:[ \t]*["']?dtkd\.dev\//m.test(text) || /"apiVersion"\s*:\s*"dtkd\.dev\//.test(text)) return 'dtkd';
  const { value } = await parseYaml(text, source);
  if (isRecord(value) && textAt(value, 'apiVersion')?.startsWith(`${DTKD_GROUP}/`) === true) return 'dtkd';
  if (format === 'rundeck' || (format === undefined && looksLikeRundeck(value))) return readRundeckYaml(text, source);
  if (format === 'ansible' || (format === undefined && looksLikeAnsible(value))) return readAnsibleYaml(text, source);
  if (format === 'controltier') throw notThat(source, format, 'YAML');
  throw new DtkdError('BAD_REQUEST', `${source}: the format of this file was not detected`, {
    next: 'Name it with --format: controltier, rundeck, ansible or dtkd.',
  });
}

/**
 * Distinguishes ControlTier's XML by its settings, packages, deployments and relationships, or its document type; Rundeck's has only nodes.
 */
async function readXml(text: string, source: string, format: ImportFormat | undefined): Promise<Draft> {
  if (format === 'ansible') throw notThat(source, format, 'XML');
  if (format !== undefined) return format === 'rundeck' ? readRundeckXml(text, source) : readControlTier(text, source);
  const controlTier = /<(setting|package|deployment|resources|referrers)[\s>/]/.test(text) || /<!DOCTYPE\s+project\s+PUBLIC/.test(text);
  return controlTier ? readControlTier(text, source) : readRundeckXml(text, source);
}

function isInventoryIni(text: string, source: string): boolean {
  if (/\.(ini|cfg)$/i.test(source)) return true;
  if (/\.(ya?ml|json)$/i.test(source)) return false;
  return /^\[[A-Za-z0-9_.-]+(:(children|vars))?\]\s*([#;].*)?$/m.test(text) && !/^[ \t]*apiVersion:/m.test(text);
}

function notThat(source: string, format: string, what: string): DtkdError {
  return new DtkdError('BAD_REQUEST', `${source}: this is ${what}, not what --format ${format} reads`);
}
