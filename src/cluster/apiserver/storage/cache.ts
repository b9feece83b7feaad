import type { KubeObject } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { expired } from '../status.ts';
import { History } from './history.ts';
import type { CachedObject } from './object.ts';
import type { CacheEvent } from './watcher.ts';
import { Watcher } from './watcher.ts';

export interface CacheOptions {
  /** All keys of this cache begin with it; ends with a slash. */
  prefix: string;
  fieldsOf: (object: KubeObject) => Readonly<Record<string, string>>;
  /** Fields by which objects are found without a scan. */
  indexed: readonly string[];
}

/** All objects of one storage folder in key order, with the newest changes, and those who watch them. */
export class ObjectCache {
  readonly prefix: string;
  readonly #options: CacheOptions;
  #objects = new Map<string, CachedObject>();
  #keys: string[] = [];
  #indexes = new Map<string, Map<string, Set<string>>>();
  #history = new History(0);
  #watchers = new Set<Watcher>();
  #lastChange = 0;

  constructor(options: CacheOptions) {
    this.prefix = options.prefix;
    this.#options = options;
  }

  /** Takes what the store holds at `revision`, forgetting all else; whoever watched must list again. */
  load(objects: readonly CachedObject[], revision: number): void {
    this.#objects = new Map(objects.map((o) => [o.key, o]));
    this.#keys = objects.map((o) => o.key).sort(compare);
    this.#indexes = new Map(this.#options.indexed.map((field) => [field, new Map<string, Set<string>>()]));
    for (const object of objects) this.#index(object, 'add');
    this.#history = new History(revision);
    this.#lastChange = revision;
    for (const watcher of this.#watchers) watcher.end(new Fault('expired', 'the server read its store anew; list again and watch from there'));
    this.#watchers.clear();
  }

  put(object: CachedObject): void {
    const previous = this.#objects.get(object.key);
    if (previous) this.#index(previous, 'delete');
    else this.#keys.splice(lowerBound(this.#keys, object.key), 0, object.key);
    this.#objects.set(object.key, object);
    this.#index(object, 'add');
    this.#publish({ revision: object.revision, type: previous ? 'MODIFIED' : 'ADDED', object, previous });
  }

  remove(key: string, revision: number): void {
    const previous = this.#objects.get(key);
    if (!previous) return;
    this.#objects.delete(key);
    this.#keys.splice(lowerBound(this.#keys, key), 1);
    this.#index(previous, 'delete');
    this.#publish({ revision, type: 'DELETED', object: previous.at(revision), previous });
  }

  get(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** The revision of the newest change to any object here. */
  get lastChange(): number {
    return this.#lastChange;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** Objects whose keys begin with `prefix`, in order, from the first key after `after`. */
  *scan(prefix: string, after = ''): Generator<CachedObject> {
    let i = lowerBound(this.#keys, after > prefix ? `${after}\0` : prefix);
    for (let key = this.#keys[i]; key?.startsWith(prefix); key = this.#keys[++i]) yield this.#objects.get(key) as CachedObject;
  }

  /** The same where `field` has `value`; undefined where the field is not indexed. */
  find(field: string, value: string, prefix: string): CachedObject[] | undefined {
    const index = this.#indexes.get(field);
    if (!index) return undefined;
    const keys = [...(index.get(value) ?? [])].filter((key) => key.startsWith(prefix)).sort(compare);
    return keys.map((key) => this.#objects.get(key) as CachedObject);
  }

  /**
   * Changes after the revision `after`, the remembered ones first.
   * Throws `expired` where they are no longer remembered.
   */
  watch(after: number, matches: (object: CachedObject) => boolean): Watcher {
    const { since } = this.#history;
    if (after < since) throw expired(`too old resource version: ${after} (${since})`);
    const watcher = new Watcher(after, matches);
    for (const event of this.#history.after(after)) watcher.push(event);
    this.#watchers.add(watcher);
    return watcher;
  }

  /** Forgets the changes up to `revision`: watches begin later. */
  forget(revision: number): void {
    this.#history.forget(revision);
  }

  unwatch(watcher: Watcher): void {
    this.#watchers.delete(watcher);
  }

  /** Ends all watches, as at a stop. */
  endWatches(): void {
    for (const watcher of this.#watchers) watcher.end();
  }

  #publish(event: CacheEvent): void {
    this.#lastChange = event.revision;
    this.#history.push(event);
    for (const watcher of this.#watchers) watcher.push(event);
  }

  #index(object: CachedObject, change: 'add' | 'delete'): void {
    for (const [field, index] of this.#indexes) {
      const value = object.fields(this.#options.fieldsOf)[field] ?? '';
      const keys = index.get(value) ?? new Set();
      keys[change](object.key);
      if (keys.size === 0) index.delete(value);
      else index.set(value, keys);
    }
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The place of the first key not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
