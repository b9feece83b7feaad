/**
 * Tar archives, as container images use them: ustar with PAX and GNU extensions. An *entry* is the meaning of one
 * member: long names, large numbers, sub-second times and extended attributes already applied. Sparse files,
 * multi-volume archives and unknown member types are refused by name (`invalid`), as is anything malformed.
 */
export type TarEntryType = 'file' | 'link' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

export interface TarEntry {
  /** As in the archive: may be absolute or hold `..`; whoever writes it to a disk confines it. */
  name: string;
  type: TarEntryType;
  /** Permission bits with setuid, setgid and sticky (07777). */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of body that follow; 0 for all but files. */
  size: number;
  /** Nanoseconds since the epoch. */
  mtime: bigint;
  atime?: bigint;
  /** The target of a link or symlink. */
  linkName: string;
  userName: string;
  groupName: string;
  devMajor: number;
  devMinor: number;
  /** Extended attributes by full name (`security.capability`). */
  xattrs: ReadonlyMap<string, Buffer>;
}

export const tarLimits = {
  /** Bytes of one PAX or GNU extension header, and of what all global ones say together. */
  extensionBytes: 1024 * 1024,
  /** Bytes of a name or link target; the kernel takes no longer path. */
  nameBytes: 4096,
  /** Extended attributes of one entry. */
  xattrs: 256,
} as const;

export const tarBlock = 512;

/** An entry from what matters of it. */
export function tarEntry(name: string, type: TarEntryType, fields: Partial<TarEntry> = {}): TarEntry {
  return {
    name,
    type,
    mode: type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0n,
    linkName: '',
    userName: '',
    groupName: '',
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
    ...fields,
  };
}
