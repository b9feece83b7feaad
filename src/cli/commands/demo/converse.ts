import { Fault, messageOf } from '#lib/errors.ts';
import type { DemoContext } from './types.ts';

interface Post {
  id: string;
  title: string;
  comments: { id: string; content: string; status: string }[];
}

/** Milliseconds for an event to reach all services, and between two looks. */
const eventsMs = 120_000;
const lookMs = 100;

/**
 * Posts a post and a comment through the page's address and reads both back from the query service: the post has
 * gone over the event bus to query, the comment to moderation and back, each by its Service's name.
 */
export async function converse(context: DemoContext, page: string): Promise<string> {
  const title = `Hello from ${page}`;
  const post = await send<Post>(context, `${page}/posts`, { title });
  await until(context, 'the post in query', async () => (await find(page, post.id)) !== undefined);
  await send(context, `${page}/posts/${post.id}/comments`, { content: 'First!' });
  let found: Post | undefined;
  await until(context, 'the moderated comment in query', async () => {
    found = await find(page, post.id);
    return found?.comments[0]?.status === 'approved';
  });
  return `  ${JSON.stringify(found)}\n`;
}

async function find(page: string, id: string): Promise<Post | undefined> {
  const answer = await fetch(`${page}/posts`);
  if (!answer.ok) return undefined;
  return ((await answer.json()) as Post[]).find((p) => p.id === id);
}

async function send<T>(context: DemoContext, url: string, body: unknown): Promise<T> {
  let result: T | undefined;
  await until(context, `an answer from ${url}`, async () => {
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!answer.ok) throw new Fault('unavailable', `${answer.status} ${await answer.text()}`);
    result = (await answer.json()) as T;
    return true;
  });
  return result as T;
}

async function until(context: DemoContext, what: string, look: () => Promise<boolean>): Promise<void> {
  const limit = context.clock.monotonic() + BigInt(eventsMs) * 1_000_000n;
  let last = 'nothing yet';
  for (;;) {
    try {
      if (await look()) return;
    } catch (error) {
      const cause = error instanceof Error && error.cause ? `: ${messageOf(error.cause)}` : '';
      last = messageOf(error) + cause;
    }
    if (context.clock.monotonic() > limit) throw new Fault('timeout', `no sign of ${what} after ${eventsMs / 1000} s (last: ${last})`);
    await context.clock.sleep(lookMs);
  }
}
