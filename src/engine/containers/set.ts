/** All containers of the engine: their records, look-up, and what is known of each only while the daemon lives. */
import type { Records } from '#core/store/records.types.ts';
import { KeyedMutex } from '#lib/async.ts';
import { Fault } from '#lib/errors.ts';
import type { ContainerRecord, StateRecord } from './record.ts';
import { Live } from './live.ts';

export class ContainerSet {
  readonly #records: Records<ContainerRecord>;
  readonly #live = new Map<string, Live>();
  readonly #locks = new KeyedMutex();
  /** Names that a creation or rename under way has taken. */
  readonly #claimed = new Map<string, string>();

  constructor(records: Records<ContainerRecord>) {
    this.#records = records;
  }

  /** Ids of containers whose record cannot be read. */
  get damaged(): ReadonlySet<string> {
    return this.#records.damaged;
  }

  /** Newest first. */
  list(): ContainerRecord[] {
    return [...this.#records.list()].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
  }

  get(id: string): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  /** By full id, name, or unique id prefix. */
  find(reference: string): ContainerRecord | undefined {
    const exact = this.#records.get(reference);
    if (exact) return exact;
    const name = reference.replace(/^\//, '');
    const all = this.#records.list();
    const named = all.find((record) => record.name === name);
    if (named) return named;
    if (!/^[0-9a-f]+$/.test(reference)) return undefined;
    const matches = all.filter((record) => record.id.startsWith(reference));
    if (matches.length > 1) throw new Fault('invalid', `Multiple IDs found with provided prefix: ${reference}`);
    return matches[0];
  }

  /** `find`, or Docker's `No such container`. */
  must(reference: string): ContainerRecord {
    const found = this.find(reference);
    if (!found) throw new Fault('not-found', `No such container: ${reference}`);
    return found;
  }

  /** What is known of it in this process. */
  live(id: string): Live {
    let live = this.#live.get(id);
    if (!live) {
      live = new Live();
      this.#live.set(id, live);
    }
    return live;
  }

  lives(): Iterable<Live> {
    return this.#live.values();
  }

  /** Runs `task` with the newest record, alone among the container's changes. */
  lock<T>(id: string, task: (record: ContainerRecord) => Promise<T>): Promise<T> {
    return this.#locks.run(id, () => task(this.must(id)));
  }

  /** Takes a name for `id`, or fails with Docker's `Conflict`. The claim ends with `release`. */
  claimName(name: string, id: string): void {
    const holder = this.#records.list().find((record) => record.name === name)?.id ?? this.#claimed.get(name);
    if (holder !== undefined) {
      throw new Fault(
        'conflict',
        `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    this.#claimed.set(name, id);
  }

  isNameFree(name: string): boolean {
    return !this.#claimed.has(name) && !this.#records.list().some((record) => record.name === name);
  }

  releaseName(name: string): void {
    this.#claimed.delete(name);
  }

  add(record: ContainerRecord): Promise<ContainerRecord> {
    return this.#records.put(record);
  }

  update(id: string, change: Partial<ContainerRecord>): Promise<ContainerRecord> {
    return this.#records.update(id, (record) => ({ ...record, ...change }));
  }

  setState(id: string, change: Partial<StateRecord>): Promise<ContainerRecord> {
    return this.#records.update(id, (record) => ({ ...record, state: { ...record.state, ...change } }));
  }

  async delete(id: string): Promise<void> {
    await this.#records.delete(id);
    this.#live.delete(id);
  }
}
