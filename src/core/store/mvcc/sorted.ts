import { compareKeys } from '../keys.ts';

/** Most items of a chunk before it is split in two. */
const chunkItems = 512;

/** A set of items sorted by their `key`, in chunks, so that an insertion moves few of them. */
export class SortedByKey<T extends { key: string }> {
  #chunks: T[][] = [];

  add(item: T): void {
    const at = Math.max(0, this.#chunkOf(item.key));
    const chunk = this.#chunks[at];
    if (!chunk) {
      this.#chunks.push([item]);
      return;
    }
    chunk.splice(lowerBound(chunk, item.key), 0, item);
    if (chunk.length > chunkItems) this.#chunks.splice(at + 1, 0, chunk.splice(chunkItems / 2));
  }

  remove(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    if (!chunk) return;
    const i = lowerBound(chunk, key);
    if (chunk[i]?.key !== key) return;
    chunk.splice(i, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** Items with start <= key < end; not to be changed while iterated. */
  *range(start: string, end: string): Generator<T> {
    let at = Math.max(0, this.#chunkOf(start));
    for (let from = lowerBound(this.#chunks[at] ?? [], start); at < this.#chunks.length; at++, from = 0) {
      const chunk = this.#chunks[at] as T[];
      for (let i = from; i < chunk.length; i++) {
        const item = chunk[i] as T;
        if (compareKeys(item.key, end) >= 0) return;
        yield item;
      }
    }
  }

  /** The last chunk whose first key is not above `key`; -1 if none. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys((this.#chunks[middle] as T[])[0]?.key as string, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** The first place whose key is not below `key`. */
function lowerBound<T extends { key: string }>(items: T[], key: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys((items[middle] as T).key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
