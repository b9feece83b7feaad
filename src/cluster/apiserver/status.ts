/**
 * Failures in the API's own form. Every fault that leaves the server carries a `Status` in `details.status`;
 * `toStatus` is the one place that makes one for faults that came from elsewhere.
 */
import type { FieldError } from '#api/kube/field-errors.ts';
import { fieldErrorCause, fieldErrorsText } from '#api/kube/field-errors.ts';
import type { Status, StatusCause, StatusDetails } from '#api/kube/types.ts';
import type { FaultKind } from '#lib/errors.ts';
import { asFault, Fault } from '#lib/errors.ts';

/** A resource as error texts name it. */
export interface Named {
  group: string;
  plural: string;
  kind: string;
}

/** How each kind of fault answers where nothing more exact is known. */
const answers: Record<FaultKind, { code: number; reason: string }> = {
  invalid: { code: 400, reason: 'BadRequest' },
  unauthenticated: { code: 401, reason: 'Unauthorized' },
  forbidden: { code: 403, reason: 'Forbidden' },
  'not-found': { code: 404, reason: 'NotFound' },
  'already-exists': { code: 409, reason: 'AlreadyExists' },
  conflict: { code: 409, reason: 'Conflict' },
  'not-modified': { code: 304, reason: '' },
  precondition: { code: 409, reason: 'Conflict' },
  expired: { code: 410, reason: 'Expired' },
  'too-large': { code: 413, reason: 'RequestEntityTooLarge' },
  exhausted: { code: 429, reason: 'TooManyRequests' },
  unavailable: { code: 503, reason: 'ServiceUnavailable' },
  timeout: { code: 504, reason: 'Timeout' },
  canceled: { code: 499, reason: 'Timeout' },
  'not-implemented': { code: 501, reason: 'NotImplemented' },
  internal: { code: 500, reason: 'InternalError' },
};

export interface StatusOptions {
  code?: number;
  reason?: string;
  details?: StatusDetails;
  /** A continue token that can still be used, for an expired list. */
  continue?: string;
  cause?: unknown;
}

export function statusFault(kind: FaultKind, message: string, options: StatusOptions = {}): Fault {
  const { code, reason } = answers[kind];
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: options.continue === undefined ? {} : { continue: options.continue },
    status: 'Failure',
    message,
    reason: options.reason ?? reason,
    ...(options.details && { details: options.details }),
    code: options.code ?? code,
  };
  return new Fault(kind, message, { cause: options.cause, details: { status } });
}

/** What any failure answers. Internal ones say no more than that: their cause is for the log. */
export function toStatus(error: unknown): Status {
  const fault = asFault(error);
  const known = fault.details['status'];
  if (known) return known as Status;
  const message = fault.kind === 'internal' ? `Internal error occurred: ${fault.message}` : fault.message;
  return statusFault(fault.kind, message).details['status'] as Status;
}

/** `deployments.apps`, or `pods` of the core group. */
export function qualified(resource: { group: string; plural: string }): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

function named(resource: { group: string }, kind: string, name: string): StatusDetails {
  return { ...(name !== '' && { name }), ...(resource.group !== '' && { group: resource.group }), kind };
}

export function notFound(resource: { group: string; plural: string }, name: string): Fault {
  return statusFault('not-found', `${qualified(resource)} "${name}" not found`, { details: named(resource, resource.plural, name) });
}

/** Of a path that nothing answers. */
export function noSuchPath(): Fault {
  return statusFault('not-found', 'the server could not find the requested resource', { details: {} });
}

export function alreadyExists(resource: { group: string; plural: string }, name: string): Fault {
  return statusFault('already-exists', `${qualified(resource)} "${name}" already exists`, { details: named(resource, resource.plural, name) });
}

export const modifiedText = 'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(resource: { group: string; plural: string }, name: string, why: string = modifiedText): Fault {
  const message = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`;
  return statusFault('conflict', message, { details: named(resource, resource.plural, name) });
}

export function invalidObject(resource: { group: string; kind: string }, name: string, errors: readonly FieldError[]): Fault {
  const kind = resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`;
  return statusFault('invalid', `${kind} "${name}" is invalid: ${fieldErrorsText(errors)}`, {
    code: 422,
    reason: 'Invalid',
    details: { ...named(resource, resource.kind, name), causes: errors.map(fieldErrorCause) },
  });
}

export function badRequest(message: string, cause?: unknown): Fault {
  return statusFault('invalid', message, { cause });
}

/** A refusal by a rule other than the user's rights: `pods "x" is forbidden: why`. */
export function forbidden(resource: { group: string; plural: string }, name: string, why: string, causes?: StatusCause[]): Fault {
  const subject = name === '' ? qualified(resource) : `${qualified(resource)} "${name}"`;
  return statusFault('forbidden', `${subject} is forbidden: ${why}`, {
    details: { ...named(resource, resource.plural, name), ...(causes && { causes }) },
  });
}

export function unauthorized(cause?: unknown): Fault {
  return statusFault('unauthenticated', 'Unauthorized', { cause });
}

export function methodNotAllowed(): Fault {
  return statusFault('not-implemented', 'the server does not allow this method on the requested resource', {
    code: 405,
    reason: 'MethodNotAllowed',
    details: {},
  });
}

export function notAcceptable(accepted: readonly string[]): Fault {
  return statusFault('invalid', `only the following media types are accepted: ${accepted.join(', ')}`, { code: 406, reason: 'NotAcceptable' });
}

export function unsupportedMediaType(message: string): Fault {
  return statusFault('invalid', message, { code: 415, reason: 'UnsupportedMediaType' });
}

export function tooLarge(limitBytes: number): Fault {
  return statusFault('too-large', `Request entity too large: limit is ${limitBytes}`);
}

export function expired(message: string, continueToken?: string): Fault {
  return statusFault('expired', message, { continue: continueToken });
}

/** Of a resourceVersion that no write has reached yet. */
export function resourceVersionTooLarge(asked: number, current: number): Fault {
  return statusFault('timeout', `Too large resource version: ${asked}, current: ${current}`, {
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
  });
}

/** What a proxied request was for does not answer. Clients are told nothing of trying again: they would, for seconds, by themselves. */
export function unreachable(why: string, cause?: unknown): Fault {
  return statusFault('unavailable', `error trying to reach service: ${why}`, { details: { retryAfterSeconds: 0 }, cause });
}

/** Something that is known and not here yet, refused by name. */
export function notImplemented(what: string): Fault {
  return statusFault('not-implemented', `${what} is not implemented by this server`);
}
