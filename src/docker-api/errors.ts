/** How kinds of failure look in Docker's API. */
import type { FaultKind } from '#lib/errors.ts';
import { asFault } from '#lib/errors.ts';

const statusOfKind: Record<FaultKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'already-exists': 409,
  conflict: 409,
  'not-modified': 304,
  precondition: 409,
  expired: 410,
  'too-large': 413,
  exhausted: 500,
  unavailable: 503,
  timeout: 500,
  canceled: 499,
  'not-implemented': 501,
  internal: 500,
};

/** Status and message of any error. A fault may name another status in `details.status`, where Docker has its own. */
export function statusOf(error: unknown): { status: number; message: string; code: number | undefined } {
  const fault = asFault(error);
  const own = fault.details['status'];
  const code = fault.details['exitCode'];
  return {
    status: typeof own === 'number' ? own : statusOfKind[fault.kind],
    message: fault.message,
    code: typeof code === 'number' ? code : undefined,
  };
}
