/** Texts of Linux' /proc. Pure; what cannot be understood is left out. */

/** State of a TCP socket that listens. */
const LISTEN = '0A';
/** 32 bits at a time, each in the byte order of the machine: little-endian on all that dtkd runs on. */
const WORD = 8;

export interface ListeningSocket {
  host: string;
  port: number;
  inode: string;
}

/** Listening sockets of `/proc/net/tcp` or `tcp6`. */
export function parseListening(text: string): ListeningSocket[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [address = '', port = ''] = (fields[1] ?? '').split(':');
    const inode = fields[9];
    if (fields[3] !== LISTEN || inode === undefined || !/^[0-9A-F]{4}$/.test(port)) return [];
    const host = parseHost(address);
    return host === undefined ? [] : [{ host, port: Number.parseInt(port, 16), inode }];
  });
}

function parseHost(hex: string): string | undefined {
  if (!/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/.test(hex)) return undefined;
  const words = hex.match(new RegExp(`.{${WORD}}`, 'g')) ?? [];
  const bytes = words.flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
  if (bytes.length === 4) return bytes.join('.');
  const [mapped, last] = [bytes.slice(0, 12), bytes.slice(12)];
  if (mapped.slice(0, 10).every((byte) => byte === 0) && mapped[10] === 0xff && mapped[11] === 0xff) return last.join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1';
  const groups = Array.from({ length: 8 }, (_, at) => (((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0)).toString(16));
  return groups.join(':');
}

/**
 * The process that holds a lock on a file, from `/proc/locks`. Other file systems have files of the same number, too. Where a file system has no device (its major
 * number is 0), what `stat` says of it may not be what stands there, as with btrfs: then the number alone has to do.
 */
export function lockHolder(text: string, { dev, ino }: { dev: number; ino: number }): number | undefined {
  const device = deviceText(dev);
  for (const line of text.split('\n')) {
    // a line with an arrow is of somebody who waits
    const match = /^\d+: (?:POSIX|FLOCK|OFDLCK)\s+\S+\s+WRITE\s+(-?\d+)\s+([0-9a-f]+:[0-9a-f]+):(\d+)\s/.exec(line);
    if (match === null || Number(match[3]) !== ino || Number(match[1]) <= 0) continue;
    if (device === undefined || match[2] === device) return Number(match[1]);
  }
  return undefined;
}

/** As Linux packs major and minor number into what `stat` says, and writes them in `/proc/locks`. */
function deviceText(dev: number): string | undefined {
  const packed = BigInt(dev);
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n);
  const minor = (packed & 0xffn) | ((packed >> 12n) & 0xffffff00n);
  const hex = (part: bigint): string => part.toString(16).padStart(2, '0');
  return major === 0n ? undefined : `${hex(major)}:${hex(minor)}`;
}

/** The soft limit of open files, from `/proc/PID/limits`. */
export function openFilesLimit(text: string): number | undefined {
  const limit = /^Max open files\s+(\d+|unlimited)/m.exec(text)?.[1];
  return limit === undefined ? undefined : limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

/**
 * A program by its `/proc/PID/cmdline`: its name, and the script that an interpreter runs, if that is named whole. No other argument is told: some are secret.
 * (Its `comm` is the name of a thread, `MainThread` for Node.)
 */
export function programOf(commandLine: string): string | undefined {
  const [command = '', ...args] = commandLine.split('\0');
  const name = command.slice(command.lastIndexOf('/') + 1);
  if (name === '') return undefined;
  const script = args.find((arg) => !arg.startsWith('-'));
  return script?.startsWith('/') ? `${name} ${script}` : name;
}

/** `KEY=VALUE` lines, as systemctl and timedatectl print them. */
export function parseProperties(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
}
