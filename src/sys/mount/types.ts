/** Mounts. Targets must exist; nothing here creates a directory. */
export interface Mounts {
  /**
   * mount(2). `options` are the words of a mount table (`ro`, `nosuid`, `nodev`, `noexec`, `bind`, `rbind`,
   * `rprivate`, `remount`, …) where the kernel has a flag for them; the rest is passed as data.
   * A read-only bind mount is done in the two steps that the kernel needs.
   */
  mount(source: string, target: string, type: string, options?: readonly string[]): void;
  /** `mount` on another thread, where nothing but the call itself is to be done: an overlay makes files of its own and waits for the disk. */
  mountAside(source: string, target: string, type: string, options?: readonly string[]): Promise<void>;
  /** umount2(2), never following a symbolic link. `detach` is MNT_DETACH. A target that is no mount: `invalid`. */
  unmount(target: string, options?: { detach?: boolean }): void;
  /** `unmount` on another thread: the end of an overlay waits for the disk, that of others for the kernel. */
  unmountAside(target: string, options?: { detach?: boolean }): Promise<void>;
  /** The mount table of this process's mount namespace (/proc/self/mountinfo), in its order. */
  list(): MountEntry[];
  /** Unmounts all mounts at and below `directory`, deepest first; returns how many. */
  unmountTree(directory: string): number;
}

export interface MountEntry {
  id: number;
  source: string;
  target: string;
  type: string;
  root: string;
  options: string[];
}
