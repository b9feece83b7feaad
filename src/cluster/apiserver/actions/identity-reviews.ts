/** Questions about who somebody is: I myself, and whoever holds a token. */
import type { KubeObject, TokenReviewSpec, UserInfo } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { authenticated } from '../authn/authenticate.ts';
import type { User } from '../types.ts';
import { badRequest } from '../status.ts';
import type { Action, ActionRequest } from './types.ts';

const group = 'authentication.k8s.io';

export const identityReviews: readonly Action[] = [
  {
    group,
    resource: 'selfsubjectreviews',
    subresource: '',
    run: async ({ object, context }) => ({ code: 201, object: { ...object, status: { userInfo: infoOf(context.user) } } as KubeObject }),
  },
  { group, resource: 'tokenreviews', subresource: '', run: tokenReview },
];

async function tokenReview({ server, object }: ActionRequest): Promise<{ code: number; object: KubeObject }> {
  const { token = '', audiences = [] } = (object['spec'] ?? {}) as Partial<TokenReviewSpec>;
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const { tokens, audiences: own } = server.authentication;
  const answer = (status: object): { code: number; object: KubeObject } => ({ code: 201, object: { ...object, status } });
  try {
    const proven = await tokens.verify(token, audiences.length === 0 ? own : audiences);
    return answer({ authenticated: true, user: infoOf(authenticated(proven.user)), audiences: proven.audiences });
  } catch (error) {
    if (!isFault(error, 'unauthenticated')) throw error;
    return answer({ authenticated: false, user: {}, error: error.cause instanceof Error ? error.cause.message : 'invalid bearer token' });
  }
}

function infoOf({ name, uid, groups, extra }: User): UserInfo {
  const copied = extra && Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]]));
  return { username: name, ...(uid !== undefined && { uid }), groups: [...groups], ...(copied && { extra: copied }) };
}
