/** What a writer's words alone promise of the store: the bounds that it must be within wherever the writer was cut off. */
import assert from 'node:assert/strict';
import type { Store } from '#core/store/types.ts';
import type { Deed, Line } from './words.ts';

export class Heard {
  /** The newest revision that was acknowledged or shown to a watch. */
  revision = 0;
  readonly compacted = { atLeast: 0, atMost: 0 };
  lastLease = 0;
  /** `ending`: its end is intended and not acknowledged. */
  readonly leases = new Map<number, 'held' | 'ending'>();
  readonly #deeds = new Map<string, Deed>();

  hear(line: Line): void {
    if ('seen' in line) this.revision = Math.max(this.revision, line.seen.at(-1)?.[0] ?? 0);
    if ('intent' in line) {
      const { intent, deed } = line;
      this.#deeds.set(intent, deed);
      if (deed.do === 'revoke') this.leases.set(deed.lease, 'ending');
      if (deed.do === 'compact') this.compacted.atMost = Math.max(this.compacted.atMost, deed.revision);
    }
    if ('ack' in line) {
      const deed = this.#deeds.get(line.ack);
      this.#deeds.delete(line.ack);
      const { revision = 0, lease } = line.result;
      this.revision = Math.max(this.revision, revision);
      if (deed?.do === 'revoke') this.leases.delete(deed.lease);
      if (deed?.do === 'compact') this.compacted.atLeast = Math.max(this.compacted.atLeast, deed.revision);
      if (lease === undefined) return;
      assert.ok(lease > this.lastLease, `lease ${lease} was given before`);
      this.lastLease = lease;
      this.leases.set(lease, 'held');
    }
  }

  /** Fails where the reopened store is outside the bounds. */
  async check(store: Store): Promise<void> {
    assert.ok(store.revision() >= this.revision, `revision ${this.revision} was acknowledged, and the store is at ${store.revision()}`);
    const compacted = store.compactedRevision();
    const { atLeast, atMost } = this.compacted;
    assert.ok(compacted >= atLeast && compacted <= atMost, `compacted up to ${compacted}, wanted from ${atLeast} to ${atMost}`);
    for (const [lease, is] of this.leases) {
      const alive = await store.leases.keepAlive(lease).then(() => true, () => false);
      assert.ok(alive || is === 'ending', `lease ${lease} is lost`);
    }
  }

  /** The writer is gone: what it intended last has happened or has not, by what the store says. */
  async settle(store: Store): Promise<void> {
    for (const lease of this.leases.keys()) {
      const alive = await store.leases.keepAlive(lease).then(() => true, () => false);
      if (alive) this.leases.set(lease, 'held');
      else this.leases.delete(lease);
    }
    this.compacted.atLeast = store.compactedRevision();
    this.compacted.atMost = store.compactedRevision();
    this.revision = store.revision();
    this.#deeds.clear();
  }
}
