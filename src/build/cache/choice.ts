/** Which steps a prune of the cache forgets (POST /build/prune). Pure. */
import type { BuildPruneOptions } from '#api/docker/build.ts';
import type { Filters } from '#api/docker/common.ts';
import { parseUntil } from '#api/docker/until.ts';
import { Fault } from '#lib/errors.ts';
import type { CacheEntry } from '../types.ts';

/** Values of one key are alternatives, keys must all hold. What is true of every step here has one answer. */
const tests: Readonly<Record<string, (entry: CacheEntry, value: string, now: number) => boolean>> = {
  until: (entry, value, now) => entry.usedAt < parseUntil(value, now),
  id: (entry, value) => entry.id.startsWith(value),
  type: (_entry, value) => value === 'regular',
  description: (entry, value) => entry.description.includes(value),
  inuse: (_entry, value) => isFalse(value),
  shared: (_entry, value) => isFalse(value),
  private: (_entry, value) => !isFalse(value),
  // steps have no labels: a prune by label, as `docker system prune` passes it on, means others
  label: () => false,
  'label!': () => true,
};

function isFalse(value: string): boolean {
  return ['0', 'false'].includes(value.toLowerCase());
}

export interface PruneInput {
  entries: readonly CacheEntry[];
  options: BuildPruneOptions;
  filters: Filters;
  /** Bytes of an entry's layer. */
  bytesOf: (entry: CacheEntry) => number;
  /** Whether an image or a running build stands on the entry's layer. */
  isStoodOn: (entry: CacheEntry) => boolean;
  now: number;
}

/** Without `all`, only steps that made a layer which nothing stands on; the longest unused first, until no more than `keepStorage` is left. */
export function chooseSteps({ entries, options, filters, bytesOf, isStoodOn, now }: PruneInput): CacheEntry[] {
  const asked = Object.entries(filters).filter(([, values]) => values.length > 0);
  const unknown = asked.find(([key]) => tests[key] === undefined);
  if (unknown) throw new Fault('not-implemented', `build cache prune by filter ${unknown[0]} is not implemented by Gantry`);
  const wanted = entries
    .filter((entry) => asked.every(([key, values]) => values.some((value) => tests[key]?.(entry, value, now))))
    .filter((entry) => options.all || (entry.layer !== undefined && !isStoodOn(entry)))
    .sort((a, b) => a.usedAt - b.usedAt);
  if (options.keepStorage === 0) return wanted;
  let left = entries.reduce((sum, entry) => sum + bytesOf(entry), 0);
  return wanted.filter((entry) => {
    if (left <= options.keepStorage) return false;
    left -= bytesOf(entry);
    return true;
  });
}
