import { badRequest } from '../status.ts';

/** Where a list goes on: after which key, and as of which revision (0: the newest, for a list that may be inconsistent). */
export interface ContinueToken {
  revision: number;
  after: string;
}

const version = 'meta.k8s.io/v1';

export function encodeContinue(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: version, rv: token.revision, start: token.after })).toString('base64url');
}

/** `prefix` is what all keys of the list begin with: a token of another list is refused. */
export function decodeContinue(text: string, prefix: string): ContinueToken {
  const token = parse(text);
  if (token?.v !== version || !Number.isSafeInteger(token.rv) || typeof token.start !== 'string' || !token.start.startsWith(prefix)) {
    throw badRequest('continue key is not valid: it was not given out by this list');
  }
  return { revision: token.rv as number, after: token.start };
}

function parse(text: string): { v?: unknown; rv?: unknown; start?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
