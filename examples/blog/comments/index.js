import { randomBytes } from 'node:crypto';
import { emit, serve } from './service.js';

const commentsOf = new Map();

serve(4001, {
  'GET /posts/:id/comments': ({ id }) => commentsOf.get(id) ?? [],
  'POST /posts/:id/comments': async ({ id }, { content }) => {
    if (typeof content !== 'string' || content.trim() === '') throw Object.assign(new Error('a comment needs content'), { status: 400 });
    const comment = { id: randomBytes(4).toString('hex'), content, status: 'pending' };
    commentsOf.set(id, [...(commentsOf.get(id) ?? []), comment]);
    await emit('CommentCreated', { ...comment, postId: id });
    return comment;
  },
  'POST /events': async (_params, { type, data }) => {
    console.log(`received ${type}`);
    if (type !== 'CommentModerated') return;
    const comment = commentsOf.get(data.postId)?.find((c) => c.id === data.id);
    if (comment) comment.status = data.status;
    await emit('CommentUpdated', data);
  },
});
