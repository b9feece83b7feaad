import type { Actions } from './types.ts';

/** What POST does that is not storing its body. */
export const actions: Actions = [];
