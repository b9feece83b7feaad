import { copyFileSync, fstatSync, statSync, truncateSync } from 'node:fs';

/** Bytes of `daemon.log`; with the one before it, `daemon.log.1`, the log takes twice this at the most. */
export const logLimitBytes = 16 * 2 ** 20;

const stderr = 2;

/**
 * Writes to the process's standard error. Where that is the file at `path`, the file is emptied each time it is full, and
 * what it held is kept beside it: the descriptor stays, so that what a crash says lands in the same file.
 */
export function logWriter(path: string, limitBytes: number = logLimitBytes): (line: string) => void {
  // a log that cannot be written (a full disk, a closed terminal) must not end the daemon
  process.stderr.on('error', () => {});
  if (!isStderr(path)) return (line) => void process.stderr.write(line);
  let bytes = fstatSync(stderr).size;
  return (line) => {
    process.stderr.write(line);
    bytes += Buffer.byteLength(line);
    if (bytes < limitBytes) return;
    bytes = 0;
    keepAndEmpty(path);
  };
}

/** The file was opened to append, so every writer goes on at its new end. What cannot be kept is lost: the log is to end nothing. */
function keepAndEmpty(path: string): void {
  for (const step of [() => copyFileSync(path, `${path}.1`), () => truncateSync(path)]) {
    try {
      step();
    } catch {
      // no room, no disk, no file: said to nobody, as this is where it would be said
    }
  }
}

function isStderr(path: string): boolean {
  const file = statSync(path, { throwIfNoEntry: false });
  const open = fstatSync(stderr);
  return file !== undefined && file.ino === open.ino && file.dev === open.dev;
}
