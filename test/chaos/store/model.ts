/**
 * What a store must hold: built from its writer's words and from the history that the store itself tells, each revision of
 * which must be exactly one thing that was intended.
 */
import assert from 'node:assert/strict';
import type { Change, Store } from '#core/store/types.ts';
import { lastKey } from '#core/store/types.ts';
import { isFault } from '#lib/errors.ts';
import { headOf, type Ack, type Deed, type Line, type Seen, type Step } from './words.ts';

export interface Held {
  head: string;
  create: number;
  mod: number;
  version: number;
  lease: number;
}

export type State = ReadonlyMap<string, Held>;

/** Past revisions whose states and changes are kept, to compare old reads and watches with. */
export const revisionsKept = 1000;

export class Model {
  /** The newest revision that is known. */
  revision = 0;
  readonly #open = new Map<string, Deed>();
  readonly #acks = new Map<string, Ack>();
  readonly #seen = new Map<number, Seen[]>();
  readonly #states = new Map<number, State>([[0, new Map()]]);
  readonly #history = new Map<number, Seen[]>();

  /** Begins at what the store holds, whatever it is. */
  static async of(store: Store): Promise<Model> {
    const model = new Model();
    model.revision = store.revision();
    model.#states.set(model.revision, await stateOf(store, model.revision));
    return model;
  }

  hear(line: Line): void {
    if ('opened' in line) assert.equal(line.opened, this.revision, 'the revision that the writer found');
    else if ('seen' in line) for (const seen of line.seen) this.#seen.set(seen[0], [...(this.#seen.get(seen[0]) ?? []), seen]);
    else if ('intent' in line) this.#open.set(line.intent, line.deed);
    else {
      const deed = this.#open.get(line.ack);
      this.#acks.set(line.ack, line.result);
      // what changes nothing has no revision to be found at
      if (deed?.do === 'grant' || deed?.do === 'compact' || line.result.wrote === false) this.#settle(line.ack);
    }
  }

  /** Takes up what the reopened store tells, and fails where it is not what must be. */
  async follow(store: Store): Promise<void> {
    const newest = store.revision();
    assert.ok(newest >= this.revision, `the revision went back from ${this.revision} to ${newest}`);
    const told = await historyOf(store, Math.max(store.compactedRevision(), this.revision) + 1);
    for (let revision = this.revision + 1; revision <= newest; revision++) {
      const seen = this.#seen.get(revision);
      const found = told.get(revision);
      if (seen && found) assert.deepEqual(found, seen, `revision ${revision}: a watch of now and one of then`);
      assert.ok(found ?? seen, `revision ${revision} of ${newest} is lost (compacted up to ${store.compactedRevision()})`);
      this.#take(revision, found ?? seen ?? []);
    }
    const lost = [...this.#open].filter(([id, deed]) => this.#acks.has(id) && deed.do !== 'revoke');
    assert.deepEqual(lost, [], 'acknowledged and not there');
    for (const map of [this.#open, this.#acks, this.#seen]) map.clear();
  }

  /**
   * Fails where the store is not, in all that it answers, as it was at the revision that it is at; reads `age` revisions back, too.
   */
  async compare(store: Store, age: number): Promise<void> {
    const newest = store.revision();
    const compacted = store.compactedRevision();
    for (const revision of [newest, Math.max(compacted, newest - age)]) {
      const state = this.#states.get(revision);
      if (state) assert.deepEqual(await stateOf(store, revision), state, `what is there at revision ${revision} of ${newest}`);
    }
    const from = Math.max(compacted + 1, newest - age);
    const known = [...this.#history].filter(([revision]) => revision >= from && revision <= newest);
    assert.deepEqual(new Map([...(await historyOf(store, from))].filter(([revision]) => this.#history.has(revision))), new Map(known), `a watch from revision ${from}`);
    if (compacted > 0) await assert.rejects(store.get('x/0', { revision: compacted - 1 }), (e) => isFault(e, 'expired'));
  }

  #take(revision: number, changes: Seen[]): void {
    const before = this.#states.get(this.revision) ?? new Map<string, Held>();
    for (const [id, deed] of this.#open) {
      const ack = this.#acks.get(id);
      if (ack?.revision !== undefined && ack.revision !== revision) continue;
      const expected = outcome(deed, before, revision, ack);
      if (!expected || !sameChanges(expected.changes, changes)) continue;
      this.#settle(id);
      this.#states.set(revision, expected.state);
      this.#history.set(revision, changes);
      this.#states.delete(revision - revisionsKept);
      this.#history.delete(revision - revisionsKept);
      this.revision = revision;
      return;
    }
    assert.fail(`revision ${revision} is nothing that was intended: ${JSON.stringify(changes)}\nopen: ${JSON.stringify([...this.#open])}`);
  }

  #settle(id: string): void {
    this.#open.delete(id);
    this.#acks.delete(id);
  }
}

/** What a deed does to a state; undefined where it has no revision, or answered what it could not have. */
function outcome(deed: Deed, before: State, revision: number, ack?: Ack): { state: State; changes: Seen[] } | undefined {
  const state = new Map(before);
  const changes: Seen[] = [];
  const remove = (key: string): void => {
    if (state.delete(key)) changes.push([revision, key, null, 0]);
  };
  const apply = (step: Step): void => {
    if (step.op === 'delete') remove(step.key);
    else if (step.op === 'deleteRange') for (const key of before.keys()) if (key >= step.start && key < step.end) remove(key);
    if (step.op !== 'put') return;
    const old = state.get(step.key);
    state.set(step.key, { head: step.head, create: old?.create ?? revision, mod: revision, version: (old?.version ?? 0) + 1, lease: step.lease ?? 0 });
    changes.push([revision, step.key, step.head, step.lease ?? 0]);
  };
  if (deed.do === 'revoke') for (const [key, held] of before) if (held.lease === deed.lease) remove(key);
  if (deed.do === 'transact') {
    const holds = deed.compare === undefined || (before.get(deed.compare.key)?.mod ?? 0) === deed.compare.modRevision;
    if (ack && ack.succeeded !== holds) return undefined;
    for (const step of holds ? deed.then : (deed.otherwise ?? [])) apply(step);
  }
  return changes.length > 0 ? { state, changes } : undefined;
}

function sameChanges(a: Seen[], b: Seen[]): boolean {
  const text = (changes: Seen[]): string => changes.map((c) => JSON.stringify(c)).sort().join();
  return a.length === b.length && text(a) === text(b);
}

/** The changes of each revision from `from` on, by a watch. */
async function historyOf(store: Store, from: number): Promise<Map<number, Seen[]>> {
  const history = new Map<number, Seen[]>();
  const newest = store.revision();
  const stop = new AbortController();
  if (from > newest) return history;
  for await (const changes of store.watch('', lastKey, { revision: from, signal: stop.signal })) {
    for (const seen of changes.map(seenOf)) history.set(seen[0], [...(history.get(seen[0]) ?? []), seen]);
    if ((changes.at(-1)?.entry.modRevision ?? 0) >= newest) stop.abort();
  }
  return history;
}

export function seenOf({ type, entry }: Change): Seen {
  return [entry.modRevision, entry.key, type === 'put' ? headOf(entry.value) : null, entry.lease ?? 0];
}

async function stateOf(store: Store, revision: number): Promise<State> {
  const { entries } = await store.range('', lastKey, { revision });
  return new Map(entries.map((e) => [e.key, { head: headOf(e.value), create: e.createRevision, mod: e.modRevision, version: e.version, lease: e.lease ?? 0 }]));
}
