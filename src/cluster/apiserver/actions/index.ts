import { accessReviews } from './access-reviews.ts';
import { identityReviews } from './identity-reviews.ts';
import { podActions } from './pods.ts';
import { tokenActions } from './tokens.ts';
import type { Actions } from './types.ts';

/** What POST does that is not storing its body. */
export const actions: Actions = [...accessReviews, ...identityReviews, ...podActions, ...tokenActions];
