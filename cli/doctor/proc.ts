/** Parsers for files of Linux' /proc. Pure; what cannot be parsed is left out. */

/** The state of a listening TCP socket. */
const LISTEN = '0A';
/** Hex digits of a 32-bit word. Each word is in the byte order of the machine: little-endian wherever dtkd runs. */
const WORD = 8;

export interface ListeningSocket {
  host: string;
  port: number;
  inode: string;
}

/** Parses the listening sockets of `/proc/net/tcp` or `tcp6`. */
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
 * The process that holds a write lock on a file, from `/proc/locks`. The device is compared as well, since inode numbers repeat across file
 * systems. Where the file system has no device (major number 0), as with btrfs, `stat` may report another device than `/proc/locks`, so the
 * inode number alone has to do.
 */
export function lockHolder(text: string, { dev, ino }: { dev: number; ino: number }): number | undefined {
  const device = deviceText(dev);
  for (const line of text.split('\n')) {
    // lines with an arrow (waiting lockers) do not match
    const match = /^\d+: (?:POSIX|FLOCK|OFDLCK)\s+\S+\s+WRITE\s+(-?\d+)\s+([0-9a-f]+:[0-9a-f]+):(\d+)\s/.exec(line);
    if (match === null || Number(match[3]) !== ino || Number(match[1]) <= 0) continue;
    if (device === undefined || match[2] === device) return Number(match[1]);
  }
  return undefined;
}

/** Decodes the device number of `stat`, as Linux packs it, into the form of `/proc/locks`. Undefined without a device. */
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
 * The name of a program from its `/proc/PID/cmdline`, with the script that an interpreter runs if that is an absolute path. Other arguments
 * are left out, since some are secret. (`comm` would be the name of a thread: `MainThread` for Node.)
 */
export function programOf(commandLine: string): string | undefined {
  const [command = '', ...args] = commandLine.split('\0');
  const name = command.slice(command.lastIndexOf('/') + 1);
  if (name === '') return undefined;
  const script = args.find((arg) => !arg.startsWith('-'));
  return script?.startsWith('/') ? `${name} ${script}` : name;
}

/** Parses `KEY=VALUE` lines, as systemctl and timedatectl print them. */
export function parseProperties(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
}
