/** conmon's control FIFO: one text line a command, all three numbers always. */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { codeOf, Fault } from '#lib/errors.ts';
import type { TerminalSize } from '../types.ts';

const largest = 0xffff;

/** Sets the size of the terminal. `conflict` where the supervisor is gone. */
export function resizeTerminal(fifo: string, size: TerminalSize): void {
  for (const value of [size.rows, size.columns]) {
    if (!Number.isInteger(value) || value < 0 || value > largest) throw new Fault('invalid', `invalid terminal size ${size.rows}x${size.columns}`);
  }
  command(fifo, `1 ${size.rows} ${size.columns}\n`);
}

/** Has conmon begin a new log file in the place of the one that is there. `conflict` where the supervisor is gone. */
export function reopenLog(fifo: string): void {
  command(fifo, '2 0 0\n');
}

function command(fifo: string, line: string): void {
  try {
    const fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(fd, line);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (codeOf(error) === 'ENXIO' || codeOf(error) === 'ENOENT') throw new Fault('conflict', 'the process has ended', { cause: error });
    throw error;
  }
}
