import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { tarEntry } from '#lib/tar/types.ts';
import { encodeTar, type TarSource } from '#lib/tar/write.ts';
import type { DemoContext } from './types.ts';

export const services = ['posts', 'comments', 'query', 'moderation', 'event-bus', 'client'] as const;

/** Builds one service from its Dockerfile; says the steps that were not in the cache. Returns the image's id. */
export async function buildService(context: DemoContext, service: string): Promise<string> {
  const folder = join(context.blog, service);
  let step = '';
  let cached = 0;
  const id = await context.docker.build(Readable.from(encodeTar(folderMembers(folder)), { objectMode: false }), {
    tag: `blog/${service}`,
    onMessage: ({ stream = '' }) => {
      if (/^Step \d+\/\d+ : /.test(stream)) step = stream.trim();
      else if (stream.includes('Using cache')) cached++;
      else if (stream.includes('Running in')) context.say(step);
    },
  });
  context.say(`${id.slice(7, 19)}${cached > 0 ? `, ${cached} steps from the cache` : ''}`);
  return id;
}

async function* folderMembers(folder: string): AsyncGenerator<TarSource> {
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const stats = await stat(path);
    if (!stats.isFile()) continue;
    const entry = tarEntry(name, 'file', { size: stats.size, mode: stats.mode & 0o777, mtime: BigInt(Math.round(stats.mtimeMs)) * 1_000_000n });
    yield { entry, body: createReadStream(path) };
  }
}
