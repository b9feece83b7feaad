/**
 * What is wrong with a field, in the API's own terms. The texts and reasons are those that clients show and
 * tests look for: `spec.replicas: Invalid value: -1: must be greater than or equal to 0`.
 */
export type FieldErrorType =
  | 'Invalid'
  | 'Required'
  | 'NotSupported'
  | 'Duplicate'
  | 'Forbidden'
  | 'TooLong'
  | 'TooMany'
  | 'NotFound'
  | 'TypeInvalid'
  | 'InternalError';

export interface FieldError {
  type: FieldErrorType;
  /** `spec.containers[0].name`. */
  path: string;
  /** What was given; not shown for Required, Forbidden, TooLong, TooMany and InternalError. */
  value?: unknown;
  detail: string;
}

const titles: Record<FieldErrorType, string> = {
  Invalid: 'Invalid value',
  Required: 'Required value',
  NotSupported: 'Unsupported value',
  Duplicate: 'Duplicate value',
  Forbidden: 'Forbidden',
  TooLong: 'Too long',
  TooMany: 'Too many',
  NotFound: 'Not found',
  TypeInvalid: 'Invalid value',
  InternalError: 'Internal error',
};

const valueless = new Set<FieldErrorType>(['Required', 'Forbidden', 'TooLong', 'TooMany', 'InternalError']);

/** The error without its path: `Invalid value: -1: must be greater than or equal to 0`. */
export function fieldErrorBody(error: FieldError): string {
  const parts = [titles[error.type]];
  if (!valueless.has(error.type)) parts.push(showValue(error.value));
  if (error.detail !== '') parts.push(error.detail);
  return parts.join(': ');
}

export function fieldErrorText(error: FieldError): string {
  return `${error.path}: ${fieldErrorBody(error)}`;
}

/** All of them as one text: alone, or as `[a, b]`, each text once. */
export function fieldErrorsText(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(fieldErrorText))];
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
}

/** The error as a cause in `Status.details.causes`. */
export function fieldErrorCause(error: FieldError): { reason: string; message: string; field: string } {
  const reason = error.type === 'InternalError' ? error.type : `FieldValue${error.type}`;
  return { reason, message: fieldErrorBody(error), field: error.path };
}

function showValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value);
}

export const fieldError = {
  invalid: (path: string, value: unknown, detail: string): FieldError => ({ type: 'Invalid', path, value, detail }),
  required: (path: string, detail = ''): FieldError => ({ type: 'Required', path, detail }),
  duplicate: (path: string, value: unknown): FieldError => ({ type: 'Duplicate', path, value, detail: '' }),
  forbidden: (path: string, detail: string): FieldError => ({ type: 'Forbidden', path, detail }),
  notFound: (path: string, value: unknown): FieldError => ({ type: 'NotFound', path, value, detail: '' }),
  notSupported: (path: string, value: unknown, supported: readonly string[]): FieldError => {
    const quoted = [...supported].sort().map((text) => JSON.stringify(text));
    return { type: 'NotSupported', path, value, detail: `supported values: ${quoted.join(', ')}` };
  },
  /** `limit` in bytes. */
  tooLong: (path: string, limit: number): FieldError => ({
    type: 'TooLong', path, detail: `may not be more than ${limit} bytes`,
  }),
  tooMany: (path: string, actual: number, limit: number): FieldError => ({
    type: 'TooMany', path, detail: `${actual}: must have at most ${limit} item${limit === 1 ? '' : 's'}`,
  }),
};
