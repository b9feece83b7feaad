import type { Status } from '#api/kube/types.ts';
import type { FaultKind } from '#lib/errors.ts';
import { Fault } from '#lib/errors.ts';

const kindsOfReasons: Record<string, FaultKind> = {
  AlreadyExists: 'already-exists',
  Conflict: 'conflict',
  Expired: 'expired',
  Gone: 'expired',
  Forbidden: 'forbidden',
  Invalid: 'invalid',
  NotFound: 'not-found',
  Unauthorized: 'unauthenticated',
  Timeout: 'timeout',
  ServerTimeout: 'timeout',
  TooManyRequests: 'unavailable',
  ServiceUnavailable: 'unavailable',
  RequestEntityTooLarge: 'too-large',
  NotImplemented: 'not-implemented',
  MethodNotAllowed: 'not-implemented',
  InternalError: 'internal',
};

const kindsOfCodes: Record<number, FaultKind> = {
  401: 'unauthenticated', 403: 'forbidden', 404: 'not-found', 405: 'not-implemented', 408: 'timeout', 409: 'conflict', 410: 'expired',
  413: 'too-large', 429: 'unavailable', 500: 'internal', 501: 'not-implemented', 502: 'unavailable', 503: 'unavailable', 504: 'timeout',
};

/** What a failed request says: its Status in `details.status`, or its text where it is none. */
export function faultOfStatus(code: number, body: string): Fault {
  const status = parseStatus(body);
  const kind = kindsOfReasons[status?.reason ?? ''] ?? kindsOfCodes[code] ?? 'invalid';
  const message = status?.message ?? (body.trim() === '' ? `the API server answered with code ${code}` : body.trim().slice(0, 1024));
  return new Fault(kind, message, { details: { ...(status && { status }), code } });
}

function parseStatus(body: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const isStatus = typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';
    return isStatus ? (value as Status) : undefined;
  } catch {
    return undefined;
  }
}
