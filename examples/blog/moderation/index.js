import { emit, serve } from './service.js';

serve(4003, {
  'POST /events': async (_params, { type, data }) => {
    if (type !== 'CommentCreated') return;
    const status = data.content.includes('orange') ? 'rejected' : 'approved';
    await emit('CommentModerated', { ...data, status });
  },
});
