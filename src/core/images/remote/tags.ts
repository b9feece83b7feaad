import { Fault } from '#lib/errors.ts';
import { isTag } from '../reference.ts';
import type { Reference } from '../reference.ts';
import type { PullOptions } from '../types.ts';
import type { RegistryClient, Repository } from './client.ts';
import { atEndpoints } from './resolve.ts';

export const tagLimits = {
  /** Tags of one repository. */
  tags: 10_000,
  /** Bytes of one page of them. */
  pageBytes: 4 * 1024 * 1024,
} as const;

/** All tags of a repository, as its registry lists them. */
export function listTags(client: RegistryClient, reference: Reference, options: PullOptions): Promise<string[]> {
  return atEndpoints(client, reference, options, async (repository) => {
    const tags: string[] = [];
    for (let target: string | URL | undefined = 'tags/list'; target !== undefined; ) {
      const page = await onePage(repository, target, options);
      tags.push(...page.tags);
      if (tags.length > tagLimits.tags) throw new Fault('too-large', `${repository.name} lists more than ${tagLimits.tags} tags of ${reference.path}; pull those that you want by name`);
      // A page that adds nothing would lead on for ever.
      target = page.tags.length > 0 ? page.next : undefined;
    }
    return tags;
  });
}

async function onePage(repository: Repository, target: string | URL, options: PullOptions): Promise<{ tags: string[]; next: URL | undefined }> {
  return repository.retrying(`tags of ${repository.path}`, options.signal, async () => {
    const response = await repository.send({ method: 'GET', target, signal: options.signal });
    const data = await repository.document(response, tagLimits.pageBytes);
    return { tags: parseTags(data, repository), next: nextPage(response.headers['link'], response.url) };
  });
}

function parseTags(data: Buffer, repository: Repository): string[] {
  try {
    const { tags } = JSON.parse(data.toString('utf8')) as { tags?: unknown };
    if (tags === null || tags === undefined) return [];
    if (Array.isArray(tags) && tags.every((tag): tag is string => typeof tag === 'string' && isTag(tag))) return tags;
  } catch {
    // The same fault as for a document of another form.
  }
  throw new Fault('invalid', `${repository.name} answered with something else than a list of tags`);
}

/** `Link: <…>; rel="next"` (RFC 8288), on the same host. */
function nextPage(link: string | undefined, from: URL): URL | undefined {
  const target = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, from.href)) return undefined;
  const next = new URL(target, from);
  if (next.origin !== from.origin) throw new Fault('invalid', `${from.host} leads to ${next.host} for more tags; it is not followed`);
  return next;
}
