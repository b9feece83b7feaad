/** The words of a mount table, as mount(2) wants them. */

export const MS = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  SYNCHRONOUS: 0x10,
  REMOUNT: 0x20,
  MANDLOCK: 0x40,
  DIRSYNC: 0x80,
  NOSYMFOLLOW: 0x100,
  NOATIME: 0x400,
  NODIRATIME: 0x800,
  BIND: 0x1000,
  REC: 0x4000,
  SILENT: 0x8000,
  UNBINDABLE: 0x20000,
  PRIVATE: 0x40000,
  SLAVE: 0x80000,
  SHARED: 0x100000,
  RELATIME: 0x200000,
  STRICTATIME: 0x1000000,
  LAZYTIME: 0x2000000,
} as const;

const sets: Readonly<Record<string, number>> = {
  ro: MS.RDONLY,
  nosuid: MS.NOSUID,
  nodev: MS.NODEV,
  noexec: MS.NOEXEC,
  sync: MS.SYNCHRONOUS,
  remount: MS.REMOUNT,
  mand: MS.MANDLOCK,
  dirsync: MS.DIRSYNC,
  nosymfollow: MS.NOSYMFOLLOW,
  noatime: MS.NOATIME,
  nodiratime: MS.NODIRATIME,
  bind: MS.BIND,
  rbind: MS.BIND | MS.REC,
  silent: MS.SILENT,
  relatime: MS.RELATIME,
  strictatime: MS.STRICTATIME,
  lazytime: MS.LAZYTIME,
};

const clears: Readonly<Record<string, number>> = {
  rw: MS.RDONLY,
  suid: MS.NOSUID,
  dev: MS.NODEV,
  exec: MS.NOEXEC,
  async: MS.SYNCHRONOUS,
  symfollow: MS.NOSYMFOLLOW,
  atime: MS.NOATIME,
  diratime: MS.NODIRATIME,
  norelatime: MS.RELATIME,
  nostrictatime: MS.STRICTATIME,
  nolazytime: MS.LAZYTIME,
  nomand: MS.MANDLOCK,
  loud: MS.SILENT,
  defaults: 0,
};

const propagations: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE | MS.REC,
};

/** Flags that belong to one mount rather than to its file system: those that a bind mount can have of its own. */
export const perMount = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOATIME | MS.NODIRATIME | MS.RELATIME | MS.NOSYMFOLLOW;

export interface ParsedOptions {
  flags: number;
  /** Flags that a word such as `rw` or `exec` took away. */
  cleared: number;
  /** One mount(2) call each, after the mount is there. */
  propagation: number[];
  /** `rro`: read-only with all that is mounted below. */
  recursiveReadOnly: boolean;
  /** What the kernel has no flag for, comma-separated. */
  data: string;
}

export function parseOptions(options: readonly string[]): ParsedOptions {
  const parsed: ParsedOptions = { flags: 0, cleared: 0, propagation: [], recursiveReadOnly: false, data: '' };
  const data: string[] = [];
  for (const word of options) {
    const set = sets[word];
    const clear = clears[word];
    const propagation = propagations[word];
    if (set !== undefined) {
      parsed.flags |= set;
      parsed.cleared &= ~set;
    } else if (clear !== undefined) {
      parsed.flags &= ~clear;
      parsed.cleared |= clear;
    } else if (propagation !== undefined) parsed.propagation.push(propagation);
    else if (word === 'rro') parsed.recursiveReadOnly = true;
    else if (word !== '') data.push(word);
  }
  parsed.data = data.join(',');
  return parsed;
}

/** The per-mount flags that the options of a mount table name. */
export function flagsOf(options: readonly string[]): number {
  return parseOptions(options).flags & perMount;
}
