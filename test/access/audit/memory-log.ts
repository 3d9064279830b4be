import { afterEach } from 'vitest';
import { type AuditLog, type AuditOptions, createAudit } from '../../../daemon/src/access/audit/audit.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import { silentLogger } from '../../silent-logger.ts';
import type { MemoryDisk } from './memory-disk.ts';

export type OpenLog = (disk: MemoryDisk, kv: Kv, options?: Partial<AuditOptions>) => Promise<AuditLog>;

/** Opens audit logs on disks in memory; each is closed after its test. */
export function useAuditLogs(): OpenLog {
  const logs: AuditLog[] = [];
  afterEach(async () => {
    for (const log of logs.splice(0)) await log.close();
  });
  return async (disk, kv, options = {}) => {
    const log = await createAudit({ directory: '/nowhere', kv, logger: silentLogger, now: Date.now, disk, ...options });
    logs.push(log);
    return log;
  };
}
