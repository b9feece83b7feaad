import { serve } from './service.js';

const posts = new Map();

const handlers = {
  PostCreated({ id, title }) {
    if (!posts.has(id)) posts.set(id, { id, title, comments: [] });
  },
  CommentCreated({ id, content, status, postId }) {
    const comments = posts.get(postId)?.comments;
    if (comments && !comments.some((c) => c.id === id)) comments.push({ id, content, status });
  },
  CommentUpdated({ id, status, postId }) {
    const comment = posts.get(postId)?.comments.find((c) => c.id === id);
    if (comment) comment.status = status;
  },
};

serve(4002, {
  'GET /posts': () => [...posts.values()],
  'POST /events': (_params, { type, data }) => {
    handlers[type]?.(data);
  },
});

// Pods do not last: a new one reads what happened before it came.
const url = process.env.EVENT_BUS_URL ?? 'http://event-bus:4005';
for (let tries = 0; tries < 60; tries++) {
  try {
    const events = await (await fetch(`${url}/events`)).json();
    for (const { type, data } of events) handlers[type]?.(data);
    console.log(`read ${events.length} events`);
    break;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
