import { millisOfTime } from '#api/kube/time.ts';
import type { Lease, Node, Taint } from '#api/kube/types.ts';
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

/**
 * How long nodes have had their taints, by this process's own count: the time of day, which may be set, counts for those alone
 * that were there before it looked.
 */
export class TaintAges {
  readonly #clock: Clock;
  /** By node; of each taint, by the clock that never jumps, when it was new. */
  readonly #since = new Map<string, ReadonlyMap<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of the node's taints, in milliseconds. */
  of(node: Node): (taint: Taint) => number {
    const { name = '', uid } = node.metadata;
    const sign = ({ key, effect, timeAdded }: Taint): string => `${uid} ${key} ${effect} ${timeAdded}`;
    const now = monotonicMs(this.#clock);
    const before = this.#since.get(name);
    const since = new Map((node.spec?.taints ?? []).map((taint) => [sign(taint), before?.get(sign(taint)) ?? now - this.#byDay(taint)]));
    this.#since.set(name, since);
    return (taint) => now - (since.get(sign(taint)) ?? now);
  }

  forget(name: string): void {
    this.#since.delete(name);
  }

  #byDay({ timeAdded }: Taint): number {
    return timeAdded === undefined ? 0 : Math.max(0, this.#clock.now() - millisOfTime(timeAdded));
  }
}
