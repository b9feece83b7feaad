import type { Lease, Node } from '#api/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';
import { conditionOf } from '#cluster/machinery/conditions.ts';

/**
 * When each node was last heard of, by this process's own clock: that of the node may differ. After a start all
 * nodes count as heard of just now.
 */
export class Pulses {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { sign: string; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  silentMs(node: Node, lease: Lease | undefined): number {
    const { name = '', uid } = node.metadata;
    const sign = `${uid} ${lease?.spec?.renewTime} ${conditionOf(node.status?.conditions, 'Ready')?.lastHeartbeatTime}`;
    const now = monotonicMs(this.#clock);
    const before = this.#seen.get(name);
    if (before?.sign === sign) return now - before.at;
    this.#seen.set(name, { sign, at: now });
    return 0;
  }

  forget(name: string): void {
    this.#seen.delete(name);
  }
}
