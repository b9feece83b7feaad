/** Programs in sealed memory files (memfd_create(2), F_ADD_SEALS in fcntl(2)). */
import { closeSync, readFileSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { faulting } from '../errno.ts';
import { libc } from '../libc.ts';

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Since Linux 6.3, where hosts may want it to be said. */
const MFD_EXEC = 16;
const F_ADD_SEALS = 1033;
/** Not written, grown or shrunk, nor any seal added or taken away. */
const allSeals = 0xf;

/** The descriptor stays open as long as this process lives. */
export function sealedCopy(file: string): string {
  const bytes = faulting(`read ${file}`, () => readFileSync(file));
  const fd = memoryFile(basename(file));
  if (fd < 0) return file;
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  if (libc().fcntl(fd, F_ADD_SEALS, allSeals) === 0) return `/proc/${process.pid}/fd/${fd}`;
  closeSync(fd);
  return file;
}

function memoryFile(name: string): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const fd = libc().memfd_create(name, flags | MFD_EXEC);
  return fd < 0 ? libc().memfd_create(name, flags) : fd;
}
