/** The containers of this instance in memory, and who is told of their changes. */
import { deferred } from '#lib/async.ts';
import type { Deferred } from '#lib/async.ts';
import { Fault } from '#lib/errors.ts';
import type { Attachments } from './attachments.ts';
import type { Bundle } from './bundle.ts';
import { statusOf } from './record.ts';
import type { ContainerRecord, Supervision } from './record.ts';
import type { ContainerEvent, ContainerStatus, Exit } from './types.ts';

export interface Entry {
  record: ContainerRecord;
  bundle: Bundle;
  /** Absent for one that had ended before this daemon began. */
  supervision: Supervision | undefined;
  exited: Deferred<Exit>;
  /** From the first client on. */
  attachments?: Attachments;
}

export class Entries {
  readonly #byId = new Map<string, Entry>();
  readonly #observers = new Set<(event: ContainerEvent) => void>();
  /** What recovery found to have ended, told to each observer first. */
  #found: ContainerEvent[] = [];

  add(record: ContainerRecord, bundle: Bundle, supervision: Supervision | undefined): Entry {
    const entry: Entry = { record, bundle, supervision, exited: deferred<Exit>() };
    if (record.exit) entry.exited.resolve(record.exit);
    this.#byId.set(record.id, entry);
    return entry;
  }

  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  must(id: string): Entry {
    const entry = this.#byId.get(id);
    if (!entry) throw new Fault('not-found', `no such container: ${id}`);
    return entry;
  }

  all(): Entry[] {
    return [...this.#byId.values()];
  }

  delete(entry: Entry): void {
    this.#byId.delete(entry.record.id);
    this.#found = this.#found.filter((event) => event.status.id !== entry.record.id);
  }

  status(entry: Entry): ContainerStatus {
    return statusOf(entry.record, entry.supervision);
  }

  emit(type: ContainerEvent['type'], entry: Entry): void {
    const event = { type, status: this.status(entry) };
    for (const observer of this.#observers) observer(event);
  }

  /** An end that happened while no daemon looked. */
  found(entry: Entry): void {
    this.#found.push({ type: 'exited', status: this.status(entry) });
  }

  observe(observer: (event: ContainerEvent) => void): () => void {
    for (const event of this.#found) observer(event);
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }
}
