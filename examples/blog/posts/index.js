import { randomBytes } from 'node:crypto';
import { emit, serve } from './service.js';

// Any copy can take a post: what is posted is known to all by its event.
serve(4000, {
  'POST /posts': async (_params, { title }) => {
    if (typeof title !== 'string' || title.trim() === '') throw Object.assign(new Error('a post needs a title'), { status: 400 });
    const post = { id: randomBytes(4).toString('hex'), title };
    await emit('PostCreated', post);
    return post;
  },
  'POST /events': (_params, event) => {
    console.log(`received ${event.type}`);
  },
});
