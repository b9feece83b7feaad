import { KeyedMutex } from '#lib/async.ts';
import { Fault } from '#lib/errors.ts';
import type { OpenRecords, Records } from './records.types.ts';
import type { Store } from './types.ts';
import { prefixEnd } from './types.ts';

/** Collections in `store`, each record as JSON under `/records/<collection>/<id>`. `onDamaged` is told what is no record. */
export function createRecords(store: Store, onDamaged: (key: string) => void = () => {}): OpenRecords {
  return async <T extends { id: string }>(name: string, needs: readonly (keyof T & string)[] = []): Promise<Records<T>> => {
    const prefix = `/records/${name}/`;
    const { entries } = await store.range(prefix, prefixEnd(prefix));
    const held: T[] = [];
    const damaged = new Set<string>();
    for (const { key, value } of entries) {
      const id = key.slice(prefix.length);
      const record = recordIn<T>(value, id, needs);
      if (record) held.push(record);
      else {
        damaged.add(id);
        onDamaged(key);
      }
    }
    return new StoredRecords(store, name, prefix, held, damaged);
  };
}

function recordIn<T extends { id: string }>(bytes: Uint8Array, id: string, needs: readonly (keyof T & string)[]): T | undefined {
  try {
    const record = JSON.parse(Buffer.from(bytes).toString('utf8')) as T | null;
    return record?.id === id && needs.every((field) => record[field] !== undefined && record[field] !== null) ? freeze(record) : undefined;
  } catch {
    return undefined;
  }
}

class StoredRecords<T extends { id: string }> implements Records<T> {
  readonly #store: Store;
  readonly #name: string;
  readonly #prefix: string;
  readonly damaged: Set<string>;
  readonly #held: Map<string, T>;
  readonly #serial = new KeyedMutex();

  constructor(store: Store, name: string, prefix: string, held: T[], damaged: Set<string>) {
    this.damaged = damaged;
    this.#store = store;
    this.#name = name;
    this.#prefix = prefix;
    this.#held = new Map(held.map((record) => [record.id, record]));
  }

  get(id: string): T | undefined {
    return this.#held.get(id);
  }

  list(): readonly T[] {
    return [...this.#held.values()];
  }

  put(record: T): Promise<T> {
    return this.#serial.run(record.id, () => this.#write(record));
  }

  update(id: string, change: (record: T) => T): Promise<T> {
    return this.#serial.run(id, () => {
      const before = this.#held.get(id);
      if (!before) throw new Fault('not-found', `${this.#name} has no record ${id}`);
      const after = change(before);
      if (after === before) return before;
      if (after.id !== id) throw new Fault('invalid', `the update of ${this.#name} record ${id} changes its id to ${after.id}`);
      return this.#write(after);
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#serial.run(id, async () => {
      if (!this.#held.has(id)) return false;
      await this.#store.delete(this.#prefix + id);
      return this.#held.delete(id);
    });
  }

  async #write(record: T): Promise<T> {
    // Through JSON, so that what is in memory is what a restart finds, and the caller's object stays its own.
    const text = JSON.stringify(record);
    await this.#store.put(this.#prefix + record.id, Buffer.from(text));
    const kept = freeze(JSON.parse(text) as T);
    this.#held.set(record.id, kept);
    this.damaged.delete(record.id);
    return kept;
  }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}
