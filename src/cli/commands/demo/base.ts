import { Readable } from 'node:stream';
import { messageOf } from '#lib/errors.ts';
import { encodeTar } from '#lib/tar/write.ts';
import { hostNodeImage } from './base-image.ts';
import type { DemoContext } from './types.ts';

export const baseName = 'node:24-slim';
/** Milliseconds for Docker Hub, or a mirror of it, to give the image; a slow line is better served from the host. */
const pullLimitMs = 60_000;

/** The image that the example's Dockerfiles stand on: here already, pulled, or made from this host. */
export async function ensureBase(context: DemoContext): Promise<void> {
  const { docker, clock } = context;
  const say = (text: string): void => context.say(text);
  if (await docker.inspectImage(baseName)) {
    say('it is here already');
    return;
  }
  const limit = new AbortController();
  const timer = clock.after(pullLimitMs, () => limit.abort());
  try {
    await docker.pull(baseName, { signal: limit.signal });
    say('pulled');
    return;
  } catch (error) {
    say(`Docker Hub (or a mirror) did not give it: ${messageOf(error)}`);
    say("so it is made from this host's own Node.js, npm and busybox");
  } finally {
    timer.cancel();
  }
  const { archive, changes } = hostNodeImage();
  await docker.importImage(Readable.from(encodeTar(archive), { objectMode: false }), baseName, { changes });
}
