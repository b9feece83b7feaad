/** What Node's `fs` lacks: extended attributes, device nodes, `openat2` confinement, sync of a directory, space set aside. */
export interface Files {
  getXattr(path: string, name: string): Buffer | undefined;
  setXattr(path: string, name: string, value: Uint8Array): void;
  removeXattr(path: string, name: string): void;
  listXattrs(path: string): string[];
  /** mknod(2). `mode` holds type and permission bits. */
  makeNode(path: string, mode: number, major?: number, minor?: number): void;
  /** utimensat(2) without following; nanoseconds since the epoch. */
  setTimes(path: string, atime: bigint, mtime: bigint): void;
  /**
   * Opens `path` as if `root` (a descriptor of a directory) were `/`: absolute and `..` links stay inside
   * (openat2, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). `flags` are open(2)'s. O_PATH works.
   */
  openInRoot(root: number, path: string, flags: number, mode?: number): number;
  /** A path of an open descriptor that other calls accept (`/proc/self/fd/N`). */
  pathOf(fd: number): string;
  /** rename with RENAME_EXCHANGE or RENAME_NOREPLACE. */
  rename(from: string, to: string, how: 'exchange' | 'no-replace'): void;
  syncDirectory(path: string): void;
  /** Removes a file, or a directory with all in it, on another thread; absent is fine. */
  removeTree(path: string): Promise<void>;
  /** statfs(2): bytes. */
  space(path: string): { total: number; free: number; available: number };
  /** fallocate(2), the file's size kept: those bytes of it are on the disk, whatever else fills it. `exhausted` where there is no room, `not-implemented` where the file system cannot. */
  reserve(fd: number, from: number, bytes: number): void;
  /**
   * Locks the file at `path`, made for root alone where it is missing, until `release` or the end of this process, however that
   * comes (flock(2)). `conflict` where it is locked already, by whomever.
   */
  lock(path: string): { release(): void };
  close(fd: number): void;
}
