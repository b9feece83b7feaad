import type { Writable } from 'node:stream';

/** Resolves when the stream takes more, or is closed. Leaves no listener behind, as a race of two `once` would. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    if (stream.destroyed || !stream.writableNeedDrain) resolve();
    else stream.on('drain', done).on('close', done);
  });
}
