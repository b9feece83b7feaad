/**
 * The errors of Gantry. A `Fault` has a kind (its identity, which each door translates to its wire form in
 * one function), a message for the person who caused it (what, why, what next), and its cause.
 * Programmer errors are not faults: they `assert`.
 */
export const faultKinds = [
  'invalid', // the request is malformed or breaks a rule; repeating it cannot help
  'unauthenticated', // who is asking is not known
  'forbidden', // known, and not allowed
  'not-found',
  'already-exists', // creation of something whose name is taken
  'conflict', // the object's present state or revision does not allow it
  'not-modified', // it is already so
  'precondition', // something that must hold first does not
  'expired', // the revision asked for was compacted away
  'too-large', // over a named limit
  'exhausted', // a bounded pool (addresses, ports, connections) is empty
  'unavailable', // a peer or component does not answer now; repeating may help
  'timeout',
  'canceled', // the caller went away
  'not-implemented', // refused by name
  'internal', // Gantry or the host failed
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface FaultOptions {
  /** What failed underneath; kept for logs, and shown with `--debug`. */
  cause?: unknown;
  /** Facts for the door that reports it (an exit code, the field paths), in that door's own terms. */
  details?: Readonly<Record<string, unknown>>;
}

export class Fault extends Error {
  readonly kind: FaultKind;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(kind: FaultKind, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.kind = kind;
    this.details = options.details ?? {};
  }
}

/** Whether `error` is a fault of one of `kinds` (of any kind where none is named). */
export function isFault(error: unknown, ...kinds: FaultKind[]): error is Fault {
  return error instanceof Fault && (kinds.length === 0 || kinds.includes(error.kind));
}

/** The error as a fault: unchanged if it is one, else `internal` with the error as cause. */
export function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  return fullDisk(error) ?? new Fault('internal', messageOf(error), { cause: error });
}

/** Whatever was written to: that the disk is full, in words for people. */
function fullDisk(error: unknown): Fault | undefined {
  const words = { ENOSPC: 'no space left on device', EDQUOT: 'disk quota exceeded' }[codeOf(error) ?? ''];
  if (words === undefined) return undefined;
  const { path, dest } = error as NodeJS.ErrnoException & { dest?: string };
  const where = dest ?? path;
  return new Fault('exhausted', `${words}${where === undefined ? '' : `: ${where}`}; make room on the disk (docker system prune removes what is not needed), then try again`, { cause: error });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node.js system error (`ENOENT`), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** For a look at what others may take away meanwhile: undefined where it is gone, or has become something else. */
export function goneIsFine(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
}
