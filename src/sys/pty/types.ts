/** Pseudo-terminals, for clients that drive a terminal and for tests that are a user at one. */
import type { Duplex } from 'node:stream';

export interface Ptys {
  /** Opens a pair; `slave` is a descriptor to hand to a child as its stdio, then close. */
  open(size?: { rows: number; columns: number }): Pty;
}

export interface Pty {
  stream: Duplex;
  slave: number;
  resize(rows: number, columns: number): void;
  /** Switches a terminal descriptor to raw mode; returns what undoes it. */
  close(): void;
}
