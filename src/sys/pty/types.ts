/**
 * Pseudo-terminals, for clients that drive a terminal and for tests that are a user at one. What is written to
 * the stream is typed; what is read from it appears on the screen. The stream ends when the last descriptor of
 * the slave is closed.
 */
import type { Duplex } from 'node:stream';

export interface Ptys {
  /** Opens a pair; `slave` is a descriptor to hand to a child as its stdio, then close. Default 24 rows, 80 columns. */
  open(size?: { rows: number; columns: number }): Pty;
  /** Switches a terminal descriptor to raw mode; returns what undoes it. No terminal: `invalid`. */
  makeRaw(fd: number): () => void;
}

export interface Pty {
  stream: Duplex;
  slave: number;
  /** Those in the foreground of the terminal get SIGWINCH. */
  resize(rows: number, columns: number): void;
  size(): { rows: number; columns: number };
  /** Hangs up: the session of the slave gets SIGHUP. Does not close `slave`. */
  close(): void;
}
