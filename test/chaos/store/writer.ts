/**
 * A process that writes to a store until it is killed. It reads one line from standard input, `{run, directory, durability, seed,
 * tell}`, and tells what it does (words.ts) into the file `tell`. Eight writers at once: puts, deletes, transactions of several
 * keys, transactions that contend for one key, leases, compactions.
 */
import { openSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { createInterface } from 'node:readline';
import { openEmbeddedStore, type Durability } from '#core/store/embedded/store.ts';
import { lastKey, type Store } from '#core/store/types.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { seededRandom, type Random } from '#lib/random.ts';
import { headOf, transactionOf, type Ack, type Deed, type Line, type Step } from './words.ts';

export interface Assignment {
  run: string;
  directory: string;
  durability: Durability;
  seed: number;
  /** `1` is standard output. */
  tell: string;
}

const writers = 8;

class Writers {
  readonly #run: string;
  readonly #store: Store;
  readonly #out: number;
  #count = 0;
  #watched: number;

  constructor(store: Store, run: string, out: number) {
    this.#store = store;
    this.#run = run;
    this.#out = out;
    this.#watched = store.revision();
    this.#tell({ opened: this.#watched });
  }

  #tell(line: Line): void {
    writeSync(this.#out, `${JSON.stringify(line)}\n`);
  }

  async follow(): Promise<never> {
    const all = this.#store.watch('', lastKey, { revision: this.#watched + 1, signal: new AbortController().signal });
    for await (const changes of all) {
      this.#tell({ seen: changes.map(({ type, entry: e }) => [e.modRevision, e.key, type === 'put' ? headOf(e.value) : null, e.lease ?? 0]) });
      this.#watched = changes.at(-1)?.entry.modRevision ?? this.#watched;
    }
    throw new Error('the watch ended');
  }

  async write(writer: number, random: Random): Promise<never> {
    let lease = 0;
    for (;;) {
      const id = `${this.#run}.${this.#count++}`;
      const deed = this.#choose(id, writer, lease, random);
      this.#tell({ intent: id, deed });
      const result = await this.#perform(deed);
      if (deed.do === 'grant') lease = result.lease ?? 0;
      if (deed.do === 'revoke') lease = 0;
      this.#tell({ ack: id, result });
    }
  }

  #choose(id: string, writer: number, lease: number, random: Random): Deed {
    const key = (): string => `w${writer}/${String(random.int(12)).padStart(2, '0')}`;
    const put = (name: string): Step => ({ op: 'put', key: name, head: `${id}:${random.int(12) === 0 ? 5000 + random.int(15_000) : 20 + random.int(300)}`, lease: random.int(3) === 0 ? lease : 0 });
    const dice = random.int(100);
    if (dice < 35) return { do: 'transact', then: [put(key())] };
    if (dice < 50) return { do: 'transact', then: [{ op: 'delete', key: key() }] };
    if (dice < 70) return { do: 'transact', then: [...new Set([key(), key(), key(), `x/${writer}`])].map((name, i) => (i % 3 === 1 ? { op: 'delete', key: name } : put(name))) };
    if (dice < 85) return this.#contend(id, writer, put, random);
    if (dice < 90) return { do: 'transact', then: [{ op: 'deleteRange', start: `w${writer}/04`, end: `w${writer}/08` }, put(`x/${writer}`)] };
    if (dice < 97 || this.#watched <= this.#store.compactedRevision() + 40 || writer !== 0) return lease === 0 ? { do: 'grant' } : { do: 'revoke', lease };
    return { do: 'compact', revision: this.#watched - random.int(30) };
  }

  #contend(id: string, writer: number, put: (name: string) => Step, random: Random): Deed {
    const key = `shared/${random.int(2)}`;
    return { do: 'transact', compare: { key, modRevision: this.#newest.get(key) ?? 0 }, then: [put(key), put(`x/${writer}`)], otherwise: [{ op: 'put', key: `lost/${writer}`, head: `${id}:30` }] };
  }

  readonly #newest = new Map<string, number>();

  async #perform(deed: Deed): Promise<Ack> {
    switch (deed.do) {
      case 'grant':
        return { lease: (await this.#store.leases.grant(3600)).id };
      case 'revoke':
        await this.#store.leases.revoke(deed.lease);
        return {};
      case 'compact':
        await this.#store.compact(deed.revision);
        return {};
      case 'transact': {
        const { revision, succeeded, entries } = await this.#store.transact(transactionOf(deed));
        if (deed.compare) this.#newest.set(deed.compare.key, (await this.#store.get(deed.compare.key))?.modRevision ?? 0);
        const wrote = deed.then.length > 1 || deed.then[0]?.op === 'put' || entries[0] !== undefined;
        return { revision, succeeded, wrote };
      }
    }
  }
}

flushCompileCache(); // nobody that is killed writes it
for await (const line of createInterface({ input: process.stdin })) {
  const { run, directory, durability, seed, tell } = JSON.parse(line) as Assignment;
  const store = await openEmbeddedStore({ directory, durability, clock: systemClock, log: silentLogger });
  const work = new Writers(store, run, tell === '1' ? 1 : openSync(tell, 'a'));
  await Promise.all([work.follow(), ...Array.from({ length: writers }, (_, i) => work.write(i, seededRandom(seed * writers + i)))]);
}
