/**
 * The launcher's program and the protocol that it speaks. Pure. It is written in Perl, which Debian and most other systems include: Perl
 * is small, so a fork copies little, and it can do everything that a start takes without running another program.
 */
import { BEGUN_MODE, MAX_RECORD_FILE_BYTES } from './wrapper.ts';

/**
 * Descriptors: 0 requests, 1 answers, 3 reserved, since a new process gets its error output there. All others close on exec.
 *
 * - The launcher says `ready` once. A request is its length (32 bits, big-endian) and its fields, each terminated by NUL, which no
 *   argument of a process can contain: nothing needs quoting or parsing.
 * - `launch` starts a process, after writing the text of its script to a file if it has one. `remove` deletes files, and the directory
 *   that they are in as the last path; if that directory is not empty, a separate `rm` deletes it. A removal is not answered.
 * - `began NUMBER PID START`: the program runs. The pipe `$told` closes on exec, and it closed without an error number. `not NUMBER
 *   ERRNO`: the program does not run. `ended PID STATUS RECORD`: the status of `wait`, and the content of the record in hexadecimal.
 * - The forked child marks the record, and only then closes the launcher's answer pipe. So once the answers have ended and the record is
 *   not marked, nothing was started, and nothing will be.
 * - If nobody reads the answers, the launcher blocks. A child that ends meanwhile interrupts the write, which then continues with the
 *   same line.
 * - A signal between the look at the children and the wait for requests would be missed, so while there are children the wait is short.
 */
export const LAUNCHER_PROGRAM = String.raw`use strict; use POSIX ();
my ($in, %children) = ('');
$SIG{CHLD} = sub {};
open(my $three, '<', '/dev/null') or POSIX::_exit(1);
sub say_so {
  my $line = join(' ', @_) . "\n";
  for (my $at = 0; $at < length $line;) {
    my $put = syswrite STDOUT, $line, length $line, $at;
    if (defined $put) { $at += $put } elsif ($! != POSIX::EINTR()) { POSIX::_exit(0) }
  }
}
sub started {
  open(my $file, '<', "/proc/$_[0]/stat") or return '-';
  my $text = join '', <$file>;
  $text =~ s/.*\) //s;
  return (split / /, $text)[19] // '-';
}
sub put {
  sysopen(my $file, $_[1], $_[2]) or return 0;
  return defined POSIX::dup2(fileno($file), $_[0]);
}
sub text {
  my ($path, $text) = @_;
  sysopen(my $file, $path, POSIX::O_WRONLY() | POSIX::O_CREAT() | POSIX::O_TRUNC(), 0700) or return 0;
  for (my $at = 0; $at < length $text;) { $at += syswrite($file, $text, length $text, $at) || return 0 }
  return close $file;
}
sub recorded {
  open(my $file, '<', $_[0]) or return '';
  sysread $file, my $text, ${MAX_RECORD_FILE_BYTES};
  return unpack 'H*', $text // '';
}
sub remove {
  for (@_) { unlink or rmdir }
  if (-e $_[-1] && defined(my $pid = fork)) {
    return if $pid;
    { no warnings; exec { '/bin/rm' } 'rm', '-rf', '--', $_[-1] }
    POSIX::_exit(127);
  }
}
sub launch {
  my ($number, $cwd, $out, $record, $err, $script, $text, $count, @rest) = @_;
  my @argv = splice @rest, 0, $count;
  return say_so('not', $number, $! + 0) if $script ne '' && !text($script, $text);
  pipe(my $heard, my $told) or return say_so('not', $number, $! + 0);
  my $pid = fork;
  return say_so('not', $number, $! + 0) unless defined $pid;
  if ($pid == 0) {
    if (POSIX::setsid() > 0 && chdir($cwd) && put(0, '/dev/null', POSIX::O_RDONLY()) && chmod(${BEGUN_MODE}, $record) && -x $record
      && put(1, $out, POSIX::O_RDWR()) && put(3, $err, POSIX::O_RDWR()) && put(2, $record, POSIX::O_WRONLY() | POSIX::O_APPEND())) {
      %ENV = @rest;
      no warnings;
      exec { $argv[0] } @argv;
    }
    syswrite $told, $! + 0;
    POSIX::_exit(127);
  }
  close $told;
  my ($why, $got) = ('');
  do { $got = sysread $heard, $why, 16 } while !defined $got && $! == POSIX::EINTR();
  if ($why ne '') {
    1 while waitpid($pid, 0) < 0 && $! == POSIX::EINTR();
    return say_so('not', $number, $why);
  }
  $children{$pid} = $record;
  say_so('began', $number, $pid, started($pid));
}
say_so('ready');
for (;;) {
  while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
    my $status = $?;
    my $record = delete $children{$pid};
    say_so('ended', $pid, $status, recorded($record)) if defined $record;
  }
  my $ready = '';
  vec($ready, 0, 1) = 1;
  next if select($ready, undef, undef, %children ? 0.1 : undef) <= 0;
  my $got = sysread STDIN, $in, 65536, length $in;
  next if !defined $got && $! == POSIX::EINTR();
  last unless $got;
  while (length $in >= 4 && length $in >= 4 + unpack 'N', $in) {
    my $length = unpack 'N', $in;
    my $request = substr $in, 4, $length;
    $in = substr $in, 4 + $length;
    my ($what, @fields) = split /\0/, $request, -1;
    pop @fields;
    if ($what eq 'launch') { launch(@fields) } else { remove(@fields) }
  }
}
POSIX::_exit(0);
`;

export interface LaunchRequest {
  cwd: string;
  /** Files for descriptors 1, 2 and 3 of the process: `out`, `record`, `err`. */
  out: string;
  record: string;
  err: string;
  /** A file, accessible to its owner only, that is written before the start. */
  script?: { path: string; text: string } | undefined;
  /** The program with its full path, and its arguments. */
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
}

/** Encodes a request to start a process. Undefined if something contains a NUL, which cannot be passed to a process. */
export function encodeLaunch(number: number, { cwd, out, record, err, script, argv, env }: LaunchRequest): Buffer | undefined {
  const given = [cwd, out, record, err, script?.path ?? '', script?.text ?? ''];
  return encode(['launch', String(number), ...given, String(argv.length), ...argv, ...Object.entries(env).flat()]);
}

/** Encodes a request to remove files. Undefined if a path contains a NUL, which no file name can. */
export function encodeRemoval(paths: readonly string[]): Buffer | undefined {
  return encode(['remove', ...paths]);
}

function encode(fields: readonly string[]): Buffer | undefined {
  if (fields.some((field) => field.includes('\0'))) return undefined;
  const body = Buffer.from(fields.map((field) => `${field}\0`).join(''), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

export type LauncherWord =
  | { is: 'ready' }
  | { is: 'began'; number: number; pid: number; start: string }
  | { is: 'not'; number: number; errno: number }
  | { is: 'ended'; pid: number; status: number | null; signal: number | null; record: string };

/** Parses a line from the launcher. Undefined if it is not one of its messages. */
export function parseWord(line: string): LauncherWord | undefined {
  const [word, first, second, third] = line.split(' ');
  if (word === 'ready') return { is: 'ready' };
  const [a, b] = [Number(first), Number(second)];
  if (!Number.isSafeInteger(a) || !Number.isSafeInteger(b)) return undefined;
  if (word === 'began' && third !== undefined) return { is: 'began', number: a, pid: b, start: third };
  if (word === 'not') return { is: 'not', number: a, errno: b };
  if (word !== 'ended') return undefined;
  const signal = b & LOW_BITS;
  const record = Buffer.from(third ?? '', 'hex').toString('latin1');
  return { is: 'ended', pid: a, status: signal === 0 ? b >> STATUS_SHIFT : null, signal: signal === 0 ? null : signal, record };
}

/** Position of the signal and the exit status in the status of `wait`. */
const LOW_BITS = 0x7f;
const STATUS_SHIFT = 8;
