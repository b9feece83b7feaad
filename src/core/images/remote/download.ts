import type { Clock } from '#lib/clock.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { contentLimits } from '#core/content/store.ts';
import type { Content, Descriptor, Ingest } from '#core/content/types.ts';
import { mayPass } from '../collect.ts';
import { limitTime } from '../limit-time.ts';
import type { PullOptions } from '../types.ts';
import { piecesOf } from './body.ts';
import type { RegistryClient, Repository } from './client.ts';

/** Bytes of a download between two reports of progress. */
const progressBytes = 512 * 1024;

export interface DownloadParts {
  content: Content;
  client: RegistryClient;
}

/** Brings a blob into content, from where an earlier attempt stopped, by the first source that has it. */
export async function download({ content, client }: DownloadParts, sources: readonly Repository[], blob: Descriptor, options: PullOptions, limitBytes: number = contentLimits.blobBytes): Promise<void> {
  if (blob.size > limitBytes) throw new Fault('too-large', `blob ${blob.digest} has ${blob.size} bytes, over the limit of ${limitBytes}`);
  if (blob.urls && blob.urls.length > 0) throw new Fault('not-implemented', `layer ${blob.digest} is kept outside of its registry, which is not supported`);
  const { clock, log } = client.parts;
  const work = (source: Repository): Promise<void> =>
    source.retrying(`blob ${blob.digest}`, options.signal, () => client.downloads.run(blob.digest, () => ingestFrom(content, source, blob, options, clock)));
  await firstOf(sources, `blob ${blob.digest}`, log, work);
}

/**
 * `work` with each of `sources` until one succeeds; where none does, one fault that says what each of them said. A single
 * one is named where it is a peer: who asks for an image knows of registries alone.
 */
export async function firstOf<S extends { name: string; isPeer?: boolean }, T>(sources: readonly S[], what: string, log: Logger, work: (source: S) => Promise<T>): Promise<T> {
  const said: string[] = [];
  let last: Fault | undefined;
  for (const source of sources) {
    try {
      return await work(source);
    } catch (error) {
      // What is no fault is this machine's own failure: the next source cannot mend it.
      if ((sources.length === 1 && source.isPeer !== true) || !isFault(error) || error.kind === 'canceled') throw error;
      log.info('a source cannot serve an image; asking the next', { what, source: source.name, error: messageOf(error) });
      said.push(`${source.name}: ${error.message}`);
      last = error;
    }
  }
  throw new Fault(last?.kind ?? 'unavailable', `${what}: ${said.join('; ') || 'nobody to ask'}`, { cause: last, details: last?.details });
}

async function ingestFrom(content: Content, source: Repository, blob: Descriptor, options: PullOptions, clock: Clock): Promise<void> {
  if (await content.stat(blob.digest)) return;
  for (;;) {
    const ingest = await content.ingest(`blob ${blob.digest}`, { digest: blob.digest, size: blob.size, resumes: true });
    const wasBegun = ingest.offset > 0;
    try {
      if (ingest.offset < blob.size || blob.size === 0) await fill(ingest, source, blob, options, clock);
      await ingest.commit();
      options.onProgress?.({ layer: blob.digest, status: 'Verifying Checksum' });
      return;
    } catch (error) {
      await ingest.close({ discard: ingest.offset === 0 || !mayPass(error) });
      // The wrong bytes may be those that an earlier attempt, at another source, has left.
      if (!wasBegun || !isFault(error, 'invalid')) throw error;
    } finally {
      await ingest.close();
    }
  }
}

async function fill(ingest: Ingest, source: Repository, blob: Descriptor, options: PullOptions, clock: Clock): Promise<void> {
  const ms = source.timeFor(blob.size - ingest.offset);
  if (ms === undefined) return fillWithin(ingest, source, blob, options, clock);
  const limit = limitTime(clock, ms, options.signal);
  try {
    await fillWithin(ingest, source, blob, { ...options, signal: limit.signal }, clock);
  } catch (error) {
    if (!limit.isOver() || options.signal?.aborted) throw error;
    throw new Fault('timeout', `blob ${blob.digest} has not come within ${Math.round(ms / 1000)} s`, { cause: error, details: { isFinal: true } });
  } finally {
    limit.end();
  }
}

async function fillWithin(ingest: Ingest, source: Repository, blob: Descriptor, { signal, onProgress }: PullOptions, clock: Clock): Promise<void> {
  const headers: Record<string, string> = ingest.offset > 0 ? { range: `bytes=${ingest.offset}-` } : {};
  const response = await source.send({ method: 'GET', target: `blobs/${blob.digest}`, headers, signal });
  const begin = /^bytes ([0-9]+)-/.exec(response.headers['content-range'] ?? '')?.[1];
  if (ingest.offset > 0 && !(response.status === 206 && Number(begin) === ingest.offset)) await ingest.truncate();
  let reported = 0;
  for await (const chunk of piecesOf(response, clock)) {
    await ingest.write(chunk);
    if (ingest.offset - reported < progressBytes) continue;
    reported = ingest.offset;
    onProgress?.({ layer: blob.digest, status: 'Downloading', current: ingest.offset, total: blob.size });
  }
  if (ingest.offset < blob.size) throw new Fault('unavailable', `the transfer of blob ${blob.digest} ended after ${ingest.offset} of ${blob.size} bytes`);
}
