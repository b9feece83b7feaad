import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Fault } from '#lib/errors.ts';
import { connectionMessage, createHttpTransport, isSuccess } from '#lib/http-client.ts';
import type { HttpAnswer } from '#lib/http-client.ts';
import { buildLimits } from '../types.ts';

/** Redirects that one ADD follows. */
const redirects = 10;

/** Writes what a URL gives to `file`, mode 0600; its digest. */
export async function downloadTo(url: string, file: string, signal: AbortSignal): Promise<string> {
  const answer = await follow(url, signal);
  const hash = createHash('sha256');
  let bytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of answer.body) {
      bytes += chunk.length;
      if (bytes > buildLimits.downloadBytes) throw new Fault('too-large', `ADD failed: ${url} is over ${buildLimits.downloadBytes} bytes`);
      hash.update(chunk);
      yield chunk;
    }
  }
  try {
    await pipeline(counted(), createWriteStream(file, { mode: 0o600 }), { signal });
  } catch (error) {
    if (error instanceof Fault || signal.aborted) throw error;
    throw new Fault('unavailable', `ADD failed: the transfer of ${url} broke off after ${bytes} bytes: ${connectionMessage(error)}`, { cause: error });
  }
  return `sha256:${hash.digest('hex')}`;
}

async function follow(url: string, signal: AbortSignal): Promise<HttpAnswer> {
  const send = createHttpTransport({ keepAlive: false });
  let at = new URL(url);
  for (let hops = 0; ; hops++) {
    const answer = await send({ method: 'GET', url: at, headers: { 'accept-encoding': 'identity', 'user-agent': 'gantry' }, signal }).catch((error: unknown) => {
      if (signal.aborted) throw error;
      throw new Fault('unavailable', `ADD failed: Get ${JSON.stringify(at.href)}: ${connectionMessage(error)}`, { cause: error });
    });
    if (isSuccess(answer)) return answer;
    answer.drop();
    const { location } = answer.headers;
    if (answer.status < 300 || answer.status >= 400 || location === undefined) throw new Fault('invalid', `ADD failed: ${at.href} answered ${answer.status} ${answer.reason}`);
    if (hops >= redirects) throw new Fault('invalid', `ADD failed: ${url} redirects more than ${redirects} times`);
    const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
    if (!next || !['http:', 'https:'].includes(next.protocol)) throw new Fault('invalid', `ADD failed: ${at.href} redirects to ${JSON.stringify(location.slice(0, 200))}, which cannot be fetched`);
    at = next;
  }
}
