/**
 * Volumes: directories that outlive containers. Local driver; `local` options `type`, `o`, `device` mount at use.
 * Names: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`; anonymous ones are 64 hex digits.
 */
export interface Volumes {
  list(): readonly Volume[];
  get(name: string): Volume | undefined;
  /** Idempotent by name; with other options `conflict`. */
  create(spec: VolumeSpec): Promise<Volume>;
  /** `conflict` while in use. */
  remove(name: string, options?: { force?: boolean }): Promise<void>;
  /** Marks it used by `user` and gives the directory to bind. */
  use(name: string, user: string): Promise<string>;
  release(name: string, user: string): Promise<void>;
  users(name: string): readonly string[];
  /** Copies `source`'s tree into the volume if it is empty (owners, modes, xattrs kept). */
  populate(name: string, source: string): Promise<void>;
  usage(name: string): Promise<{ bytes: number }>;
}

export interface VolumeSpec {
  name?: string;
  driver?: string;
  options?: Record<string, string>;
  labels?: Record<string, string>;
}

export interface Volume {
  name: string;
  driver: string;
  mountpoint: string;
  createdAt: number;
  options: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  anonymous: boolean;
}
