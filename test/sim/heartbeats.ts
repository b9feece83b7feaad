import type { Lease, Node } from '#api/kube/types.ts';
import { monotonicMs } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { conditionOf } from '#cluster/machinery/conditions.ts';
import type { Faults } from './faults.ts';

/** So long a node may be silent, in milliseconds. */
const graceMs = 40_000;
/** What the controllers were not told yet, or do only now, where watches, requests or the disk are slow or fail. */
const lateMs = 30_000;

/** A node that renews its lease counts as reachable, whatever the time of day does. */
export class Heartbeats {
  readonly #clock: Clock;
  readonly #lateMs: number;
  readonly #say: (problem: string) => void;
  /** When each lease was renewed last. */
  readonly #renewed = new Map<string, number>();

  constructor(clock: Clock, { request, store, watch }: Faults, say: (problem: string) => void) {
    this.#clock = clock;
    this.#say = say;
    const faults = [...Object.values(request), ...Object.values(store), ...Object.values(watch)] as number[];
    this.#lateMs = faults.some((share) => share > 0) ? lateMs : 0;
  }

  onLease(lease: Lease | undefined): void {
    if (lease) this.#renewed.set(lease.metadata.name ?? '', monotonicMs(this.#clock));
  }

  onNode(node: Node | undefined, before: Node | undefined): void {
    const unknown = (one: Node | undefined): boolean => conditionOf(one?.status?.conditions, 'Ready')?.status === 'Unknown';
    const { name = '' } = node?.metadata ?? {};
    if (!unknown(node) || unknown(before)) return;
    const agoMs = monotonicMs(this.#clock) - (this.#renewed.get(name) ?? -Infinity);
    if (agoMs < graceMs - this.#lateMs) this.#say(`node ${name} counts as unreachable ${agoMs} ms after it renewed its lease`);
  }
}
