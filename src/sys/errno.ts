import type { FaultKind } from '#lib/errors.ts';
import { codeOf, Fault, messageOf } from '#lib/errors.ts';
import { constants } from 'node:os';

const kinds: Readonly<Record<string, FaultKind>> = {
  ENOENT: 'not-found',
  ESRCH: 'not-found',
  ENODEV: 'not-found',
  ENODATA: 'not-found',
  ENXIO: 'not-found',
  EEXIST: 'already-exists',
  EBUSY: 'conflict',
  ENOTEMPTY: 'conflict',
  EADDRINUSE: 'conflict',
  ETXTBSY: 'conflict',
  EPERM: 'forbidden',
  EACCES: 'forbidden',
  EROFS: 'forbidden',
  EINVAL: 'invalid',
  ENOTDIR: 'invalid',
  EISDIR: 'invalid',
  ELOOP: 'invalid',
  ENAMETOOLONG: 'invalid',
  EXDEV: 'invalid',
  ERANGE: 'invalid',
  EADDRNOTAVAIL: 'invalid',
  EMSGSIZE: 'too-large',
  E2BIG: 'too-large',
  EFBIG: 'too-large',
  ENOSPC: 'exhausted',
  EDQUOT: 'exhausted',
  EMFILE: 'exhausted',
  ENFILE: 'exhausted',
  ENOMEM: 'exhausted',
  EAGAIN: 'unavailable',
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  EPIPE: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  ENETUNREACH: 'unavailable',
  ETIMEDOUT: 'timeout',
  ENOSYS: 'not-implemented',
  EOPNOTSUPP: 'not-implemented',
};

let names: Map<number, string> | undefined;

/** `ENOENT` for 2. */
export function errnoName(errno: number): string {
  if (!names) {
    names = new Map();
    for (const [name, value] of Object.entries(constants.errno)) if (!names.has(value)) names.set(value, name);
    names.set(constants.errno.EAGAIN, 'EAGAIN');
    names.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');
  }
  return names.get(errno) ?? `errno ${errno}`;
}

/** The fault of a failed call: `what` is the call and its object, `mount overlay on /x`. */
export function errnoFault(errno: number | string, what: string, why?: string): Fault {
  const name = typeof errno === 'string' ? errno : errnoName(errno);
  return new Fault(kinds[name] ?? 'internal', `${what}: ${why ?? describe(name)}`, { details: { errno: name } });
}

/** A system error that Node threw, as a fault; anything else as it was. */
export function nodeFault(error: unknown, what: string): unknown {
  const code = codeOf(error);
  if (code === undefined || error instanceof Fault) return error;
  return new Fault(kinds[code] ?? 'internal', `${what}: ${describe(code, messageOf(error))}`, { cause: error, details: { errno: code } });
}

/** Runs `fn`, turning the system errors that Node throws into faults. */
export function faulting<T>(what: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw nodeFault(error, what);
  }
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Fault && typeof error.details['errno'] === 'string' ? error.details['errno'] : undefined;
}

const texts: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ESRCH: 'no such process',
  ENODEV: 'no such device or file system type',
  ENODATA: 'no such attribute',
  EEXIST: 'it exists already',
  EBUSY: 'it is in use',
  EPERM: 'operation not permitted (this needs root with the capability for it)',
  EACCES: 'permission denied',
  EROFS: 'the file system is read-only',
  EINVAL: 'invalid argument',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
  ENOSPC: 'no space left',
  EMFILE: 'too many open files in this process (raise its nofile limit)',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  ECONNREFUSED: 'connection refused',
  ENOSYS: 'this kernel does not have the call',
  EOPNOTSUPP: 'the kernel or file system does not support it',
};

function describe(name: string, otherwise?: string): string {
  const text = texts[name] ?? otherwise;
  return text === undefined ? name : `${text} (${name})`;
}
