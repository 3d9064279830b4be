import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lockHolder, openFilesLimit, parseListening, parseProperties, programOf } from '../../../cli/doctor/proc.ts';

const HEADING = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const row = (local: string, state: string, inode: string): string =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0000000000000000 100 0 0 10 0`;

describe('texts of /proc', () => {
  it('tell who listens, on IPv4 and IPv6', () => {
    const text = [
      HEADING,
      row('0100007F:1E14', '0A', '101'),
      row('00000000:1E15', '0A', '102'),
      row('0100007F:9C40', '01', '103'),
      row('00000000000000000000000000000000:1E16', '0A', '104'),
      row('00000000000000000000000001000000:1E17', '0A', '105'),
      row('0000000000000000FFFF00000100007F:1E18', '0A', '106'),
      row('B80D0120000000000000000001000000:1E19', '0A', '107'),
    ].join('\n');
    expect(parseListening(text).map(({ host, port, inode }) => `${host} ${port} ${inode}`)).toEqual([
      '127.0.0.1 7700 101',
      '0.0.0.0 7701 102',
      ':: 7702 104',
      '::1 7703 105',
      '127.0.0.1 7704 106',
      '2001:db8:0:0:0:0:0:1 7705 107',
    ]);
  });

  it('tell who holds a lock', () => {
    const text = [
      '1: POSIX  ADVISORY  WRITE 4711 08:01:5678 0 EOF',
      '1: -> POSIX  ADVISORY  WRITE 4712 08:01:5679 0 EOF',
      '2: POSIX  ADVISORY  READ 4713 08:01:5680 0 EOF',
      '3: FLOCK  ADVISORY  WRITE 4714 08:01:5681 0 EOF',
    ].join('\n');
    const holder = (ino: number, dev = 0x801) => lockHolder(text, { dev, ino });
    expect([5678, 5679, 5680, 5681, 1].map((ino) => holder(ino))).toEqual([4711, undefined, undefined, 4714, undefined]);
    // the same number on another disk; no device at all, as btrfs and overlays have it
    expect([holder(5678, 0x802), holder(5678, 0x103_00), holder(5678, 0x2d)]).toEqual([undefined, undefined, 4711]);
    expect(lockHolder('1: POSIX  ADVISORY  WRITE 9 103:105:7 0 EOF', { dev: 0x11_03_05, ino: 7 })).toBe(9);
  });

  it('tell what a process runs, and none of its other arguments', () => {
    const run = (...args: string[]) => programOf(args.map((arg) => `${arg}\0`).join(''));
    expect(run('/usr/bin/node', '--no-warnings', '/opt/dtkd/bin/dtkd.js', 'up', '--data', '/data')).toBe('node /opt/dtkd/bin/dtkd.js');
    expect(run('/usr/sbin/proxy', '--key', 'secret', '/etc/proxy')).toBe('proxy');
    expect(run('nginx: master process')).toBe('nginx: master process');
    expect(programOf('')).toBeUndefined();
  });

  it('tell limits and properties', () => {
    expect(openFilesLimit('Limit  Soft  Hard  Units\nMax open files            1024                 524288               files\n')).toBe(
      1024,
    );
    expect(openFilesLimit('Max open files            unlimited            unlimited            files')).toBe(Number.POSITIVE_INFINITY);
    expect(openFilesLimit('')).toBeUndefined();
    expect([...parseProperties('A=1\nB=x=y\n\n=c\n')]).toEqual([
      ['A', '1'],
      ['B', 'x=y'],
    ]);
  });

  it('may be anything', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseListening(text);
        lockHolder(text, { dev: 0x801, ino: 1 });
        openFilesLimit(text);
        parseProperties(text);
        programOf(text);
      }),
    );
  });
});
