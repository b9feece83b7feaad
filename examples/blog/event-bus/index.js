import { serve } from './service.js';

const subscribers = (process.env.SUBSCRIBERS ?? 'http://posts:4000,http://comments:4001,http://query:4002,http://moderation:4003').split(',');
const most = 10_000;
const events = [];

serve(4005, {
  'GET /events': () => events,
  'POST /events': (_params, event) => {
    if (events.length === most) events.shift();
    events.push(event);
    for (const subscriber of subscribers) {
      fetch(`${subscriber}/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(event),
      }).catch((error) => console.log(`${subscriber} did not take ${event.type}: ${error.cause?.code ?? error.message}`));
    }
  },
});
