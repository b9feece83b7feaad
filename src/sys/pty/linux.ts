import { Fault } from '#lib/errors.ts';
import { closeSync, constants, openSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { ReadStream } from 'node:tty';
import { errnoFault, errnoOf, faulting } from '../errno.ts';
import { check, lastErrno, libc } from '../libc.ts';
import type { Pty, Ptys } from './types.ts';

const O_CLOEXEC = 0o2000000;
const TIOCSWINSZ = 0x5414;
const TIOCGWINSZ = 0x5413;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TCSANOW = 0;
/** struct termios of the C library is 60 bytes. */
const termiosBytes = 64;
const sizeLimit = 0xffff;

export function linuxPtys(): Ptys {
  return { open, makeRaw };
}

function open(size: { rows: number; columns: number } = { rows: 24, columns: 80 }): Pty {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = faulting('open a pseudo-terminal', () => openSync('/dev/ptmx', flags));
  let slave = -1;
  try {
    check(libc().ioctlBytes(master, TIOCSPTLCK, Buffer.alloc(4)), 'unlock a pseudo-terminal');
    slave = check(libc().ioctl(master, TIOCGPTPEER, flags | O_CLOEXEC), 'open the slave of a pseudo-terminal');
    setSize(master, size.rows, size.columns);
    const stream = new PtyStream(master);
    // After the end the number may be some other file's.
    const live = (): number => {
      if (stream.destroyed) throw new Fault('unavailable', 'the pseudo-terminal is closed');
      return master;
    };
    return {
      stream,
      slave,
      resize: (rows, columns) => setSize(live(), rows, columns),
      size: () => getSize(live()),
      close: () => void stream.destroy(),
    };
  } catch (error) {
    if (slave >= 0) closeSync(slave);
    closeSync(master);
    throw error;
  }
}

/** The master's side. Reading from it fails with EIO when the last slave is closed: that is the end. */
class PtyStream extends Duplex {
  #terminal: ReadStream;

  constructor(master: number) {
    super({ allowHalfOpen: false });
    // Typed for reading alone; libuv reads and writes a terminal handle.
    this.#terminal = new ReadStream(master);
    this.#terminal.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#terminal.pause();
    });
    this.#terminal.once('end', () => this.push(null));
    this.#terminal.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EIO') this.push(null);
      else this.destroy(error);
    });
  }

  override _read(): void {
    this.#terminal.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#terminal.write(chunk, (error) => done(error));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#terminal.destroy();
    done(error);
  }
}

/** struct winsize. */
function setSize(fd: number, rows: number, columns: number): void {
  for (const value of [rows, columns]) {
    if (!Number.isInteger(value) || value < 0 || value > sizeLimit) throw new Fault('invalid', `a terminal cannot have ${rows} rows and ${columns} columns; each is 0 to ${sizeLimit}`);
  }
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  check(libc().ioctlBytes(fd, TIOCSWINSZ, size), 'resize a terminal');
}

function getSize(fd: number): { rows: number; columns: number } {
  const size = Buffer.alloc(8);
  check(libc().ioctlBytes(fd, TIOCGWINSZ, size), 'ask for the size of a terminal');
  return { rows: size.readUInt16LE(0), columns: size.readUInt16LE(2) };
}

function makeRaw(fd: number): () => void {
  const before = Buffer.alloc(termiosBytes);
  const what = `make descriptor ${fd} raw`;
  if (libc().tcgetattr(fd, before) !== 0) {
    const fault = errnoFault(lastErrno(), what);
    throw errnoOf(fault) === 'ENOTTY' ? new Fault('invalid', `${what}: it is not a terminal`, { details: { errno: 'ENOTTY' } }) : fault;
  }
  const raw = Buffer.from(before);
  libc().cfmakeraw(raw);
  check(libc().tcsetattr(fd, TCSANOW, raw), what);
  return () => void check(libc().tcsetattr(fd, TCSANOW, before), `restore the terminal at descriptor ${fd}`);
}
