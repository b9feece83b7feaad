/**
 * The files of one log: `path` is written to, `path.1` was before it, `path.2` before that, and so on. A file is known by its
 * inode: its number changes at each rotation. All is synchronous, so that no rotation comes between two looks of a reader.
 */
import { closeSync, existsSync, fstatSync, linkSync, openSync, read, renameSync, rmSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { codeOf } from '#lib/errors.ts';

/** Limits of a log, for whoever writes it. */
export interface LogLimits {
  /** Of one file, after which the next is begun. */
  bytes: number;
  /** Files that are kept, the one that is written to among them: 1 to `mostFiles`. */
  files: number;
}

/** Files of one log: a reader opens all of them. */
export const mostFiles = 100;

const readFd = promisify(read);

export class LogFile {
  readonly inode: bigint;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
    this.inode = fstatSync(fd, { bigint: true }).ino;
  }

  size(): number {
    return fstatSync(this.#fd).size;
  }

  async read(buffer: Buffer, length: number, position: number): Promise<number> {
    return (await readFd(this.#fd, buffer, 0, length, position)).bytesRead;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function numbered(path: string, number: number): string {
  return number === 0 ? path : `${path}.${number}`;
}

/** How many numbered files there are beside the one that is written to. */
function rotatedCount(path: string): number {
  let count = 0;
  while (existsSync(numbered(path, count + 1))) count++;
  return count;
}

/** All files of a log, the oldest first. */
export function openLog(path: string): LogFile[] {
  const files: LogFile[] = [];
  for (let number = rotatedCount(path); number >= 0; number--) {
    const file = openOptional(numbered(path, number));
    // Between a rotation and its writer's next file, the newest has two names.
    if (file && file.inode === files.at(-1)?.inode) file.close();
    else if (file) files.push(file);
  }
  return files;
}

/** The file that was begun after `file`; undefined where that one is still written to. */
export function successorOf(path: string, file: LogFile): LogFile | undefined {
  const count = rotatedCount(path);
  for (let number = 0; number <= count; number++) {
    if (inodeOf(numbered(path, number)) === file.inode) return number === 0 ? undefined : openOptional(numbered(path, number - 1));
  }
  // So far behind that it is gone: the oldest of those that are left.
  return openOptional(numbered(path, count));
}

/**
 * Begins the next file, the oldest going where there are too many. `reopen` tells the writer to replace `path` by a new
 * file, which it may do a moment later; it is told once for each file, since a second time would lose what it wrote between
 * the two. Gives back the inode of the file that it was told to leave, for the next call.
 */
export function rotateLog(path: string, files: number, reopen: () => void, told?: bigint): bigint | undefined {
  const inode = inodeOf(path);
  if (inode === told) return told;
  if (files > 1 && inode !== inodeOf(numbered(path, 1))) {
    for (let number = Math.min(files - 2, rotatedCount(path)); number > 0; number--) renameSync(numbered(path, number), numbered(path, number + 1));
    // A second name, not a new one: `path` is there at any moment.
    rmSync(numbered(path, 1), { force: true });
    linkSync(path, numbered(path, 1));
  }
  reopen();
  return inode;
}

/** Removes a log with all its files; absent is fine. */
export function removeLog(path: string): void {
  for (let number = rotatedCount(path); number >= 0; number--) rmSync(numbered(path, number), { force: true });
}

/** Bytes of the file that is written to; 0 where there is none. */
export function logSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function openOptional(path: string): LogFile | undefined {
  try {
    return new LogFile(openSync(path, 'r'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
