import { Fault } from '#lib/errors.ts';
import type { Duplex } from 'node:stream';
import { duplexPair } from 'node:stream';
import type { Pty, Ptys } from './types.ts';

export interface FakePtys extends Ptys {
  /** The program's side of a terminal, by its slave descriptor. */
  programs: Map<number, Duplex>;
  /** Descriptors in raw mode. */
  raw: Set<number>;
}

const firstFd = 2_000_000;

/** Terminals in memory that pass bytes on as they are: no echo, no line editing. */
export function fakePtys(): FakePtys {
  const programs = new Map<number, Duplex>();
  const raw = new Set<number>();
  let nextFd = firstFd;
  const open = (size = { rows: 24, columns: 80 }): Pty => {
    const [stream, program] = duplexPair();
    const slave = nextFd++;
    let now = checkSize(size);
    programs.set(slave, program);
    const live = (): void => {
      if (stream.destroyed) throw new Fault('unavailable', 'the pseudo-terminal is closed');
    };
    return {
      stream,
      slave,
      resize(rows, columns) {
        live();
        now = checkSize({ rows, columns });
      },
      size() {
        live();
        return { ...now };
      },
      close() {
        stream.destroy();
        program.destroy();
      },
    };
  };
  const makeRaw: Ptys['makeRaw'] = (fd) => {
    if (!programs.has(fd)) throw new Fault('invalid', `make descriptor ${fd} raw: it is not a terminal`, { details: { errno: 'ENOTTY' } });
    raw.add(fd);
    return () => void raw.delete(fd);
  };
  return { programs, raw, open, makeRaw };
}

function checkSize(size: { rows: number; columns: number }): { rows: number; columns: number } {
  const fine = [size.rows, size.columns].every((value) => Number.isInteger(value) && value >= 0 && value <= 0xffff);
  if (!fine) throw new Fault('invalid', `a terminal cannot have ${size.rows} rows and ${size.columns} columns; each is 0 to ${0xffff}`);
  return size;
}
