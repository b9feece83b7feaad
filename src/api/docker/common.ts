/** Shapes that several of Docker's messages share. Field names are the wire's; absent and null mean the same. */

/** `filters` of a list, prune or events call, after the door made one form of the two: key -> values. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export type EmptyObject = Record<string, never>;

/** `{"message": …}`: every failure before a stream began. */
export interface ErrorResponse {
  message: string;
}

/** One line of a progress stream (pull, push, build, load, import). */
export interface JsonMessage {
  stream?: string;
  status?: string;
  /** What the status is of: a layer (12 hex) or a tag. */
  id?: string;
  progressDetail?: ProgressDetail;
  /** The text bar of old clients. */
  progress?: string;
  errorDetail?: { code?: number; message: string };
  error?: string;
  aux?: unknown;
}

export interface ProgressDetail {
  current?: number;
  total?: number;
  start?: number;
  hidecounts?: boolean;
  units?: string;
}

/** `X-Registry-Auth`, a value of `X-Registry-Config`, and the body of POST /auth. */
export interface AuthConfig {
  username?: string;
  password?: string;
  auth?: string;
  email?: string;
  serveraddress?: string;
  identitytoken?: string;
  registrytoken?: string;
}

/** The zero time, which Docker gives for "never". */
export const zeroTime = '0001-01-01T00:00:00Z';
