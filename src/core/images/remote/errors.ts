import type { Clock } from '#lib/clock.ts';
import { codeOf, Fault } from '#lib/errors.ts';
import type { FaultKind } from '#lib/errors.ts';
import { connectionMessage } from '#lib/http-client.ts';
import type { HttpAnswer } from '#lib/http-client.ts';
import type { Endpoint } from './endpoints.ts';
import { readBody } from './body.ts';
import { registryLimits } from './limits.ts';
import type { Reference } from '../reference.ts';
import { familiarName, familiarString } from '../reference.ts';

/** A registry's answer that is no success: kind by its status, text from its body, its code in `details.code`. */
export async function registryFault(response: HttpAnswer, endpoint: Endpoint, clock: Clock): Promise<Fault> {
  const { code, message } = firstError(await readBody(response, registryLimits.errorBytes, clock).catch(() => Buffer.alloc(0)));
  // The text of a code is its words: MANIFEST_UNKNOWN is `manifest unknown`.
  const words = code === '' ? '' : `${code.toLowerCase().replaceAll('_', ' ')}: `;
  const text = message === '' ? `unexpected status from ${endpoint.url.host}: ${response.status} ${response.reason}` : `${words}${message}`;
  return new Fault(kindOf(response.status, code), text, { details: { code: code || defaultCode(response.status), status: response.status } });
}

/** The same in the words of `docker pull`. */
export function pullFault(error: unknown, reference: Reference): unknown {
  if (!(error instanceof Fault)) return error;
  const options = { cause: error, details: error.details };
  switch (error.details.code) {
    case 'DENIED':
    case 'UNAUTHORIZED':
      if (error.kind === 'unauthenticated' && error.details.code !== 'DENIED') return error;
      return new Fault('not-found', `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': ${error.message}`, options);
    case 'MANIFEST_UNKNOWN':
      return new Fault('not-found', `manifest for ${familiarString(reference)} not found: ${error.message}`, options);
    case 'NAME_UNKNOWN':
      return new Fault('not-found', `repository ${familiarName(reference)} not found: ${error.message}`, options);
    default:
      return error;
  }
}

function kindOf(status: number, code: string): FaultKind {
  if (status === 401) return 'unauthenticated';
  if (status === 403 || code === 'DENIED') return 'forbidden';
  if (status === 404) return 'not-found';
  if (status === 429 || status >= 500) return 'unavailable';
  if (status === 408) return 'timeout';
  return 'invalid';
}

function defaultCode(status: number): string {
  return status === 404 ? 'MANIFEST_UNKNOWN' : status === 403 ? 'DENIED' : status === 401 ? 'UNAUTHORIZED' : '';
}

function firstError(body: Buffer): { code: string; message: string } {
  try {
    const value = JSON.parse(body.toString('utf8')) as { errors?: { code?: unknown; message?: unknown }[]; details?: unknown } | null;
    const first = value?.errors?.[0];
    const text = (part: unknown): string => (typeof part === 'string' ? part.slice(0, 500).replace(/\p{Cc}+/gu, ' ') : '');
    return { code: text(first?.code), message: text(first?.message) };
  } catch {
    return { code: '', message: '' };
  }
}

/** Codes of failures in the middle of things, which another attempt may not meet; a refused connection is not one. */
const brokenOff: readonly string[] = ['ECONNRESET', 'EPIPE', 'EAI_AGAIN'];

/** What failed below HTTP, in the words of Docker's clients. */
export function networkFault(error: unknown, method: string, url: URL, signal?: AbortSignal): Fault {
  if (error instanceof Fault) return error;
  if (signal?.aborted) return new Fault('canceled', `${method} ${url.origin}: canceled`, { cause: error });
  const verb = method.charAt(0) + method.slice(1).toLowerCase();
  const isFinal = !brokenOff.includes(codeOf(error) ?? '');
  return new Fault('unavailable', `${verb} "${url.origin}${url.pathname}": ${connectionMessage(error)}`, { cause: error, details: { isFinal } });
}
