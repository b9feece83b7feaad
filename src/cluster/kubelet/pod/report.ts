/** Writes a pod's status, where it differs from what the API has; the newest one, beside what else is done for the pod. */
import { isDeepStrictEqual } from 'node:util';
import type { Pod, PodStatus } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { pods } from '#client/kube/resources.ts';
import type { NodeContext } from '../types.ts';

/**
 * The statuses of one pod, told one after the other. What is told while a write is under way is written next; of several
 * such only the newest.
 */
export class StatusReporter {
  readonly #node: NodeContext;
  readonly #settled: (error?: unknown) => void;
  #next: { pod: Pod; status: PodStatus } | undefined;
  #written: PodStatus | undefined;
  #told: PodStatus | undefined;
  #writing: Promise<void> | undefined;
  /** Of the last write. */
  #failure: unknown;

  /** `settled` hears how each write went: with the error, where it failed and another is to be told. */
  constructor(node: NodeContext, settled: (error?: unknown) => void) {
    this.#node = node;
    this.#settled = settled;
  }

  /** The newest that was told, written or not. */
  get told(): PodStatus | undefined {
    return this.#told;
  }

  /** What was told no longer stands in the API, where somebody else spoke for the node: the next is compared with the object. */
  forget(): void {
    this.#told = undefined;
    this.#written = undefined;
  }

  /** `pod` is what `status` was made for. */
  tell(pod: Pod, status: PodStatus): void {
    this.#told = status;
    this.#next = { pod, status };
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** Resolves when nothing is under way; rejects where the newest could not be written. */
  async written(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  async #write(): Promise<void> {
    // lets the tellings of one moment become one
    await Promise.resolve();
    while (this.#next) {
      const { pod, status } = this.#next;
      this.#next = undefined;
      try {
        this.#written = await reportStatus(this.#node, pod, status, this.#written);
        this.#failure = undefined;
      } catch (error) {
        this.#failure = error;
      }
      this.#settled(this.#failure);
    }
  }
}

/** The pod with what was reported last: the object that the watch has given may be older. */
export function withReported(pod: Pod, reported: PodStatus | undefined): Pod {
  if (!reported) return pod;
  const own = new Set((reported.conditions ?? []).map((condition) => condition.type));
  const foreign = (pod.status?.conditions ?? []).filter((condition) => !own.has(condition.type));
  return { ...pod, status: { ...pod.status, ...reported, conditions: [...(reported.conditions ?? []), ...foreign] } };
}

/** Returns what the API has now of it. A pod that is gone is no failure. */
async function reportStatus(node: NodeContext, pod: Pod, status: PodStatus, before: PodStatus | undefined): Promise<PodStatus> {
  if (before ? isDeepStrictEqual(before, status) : holds(pod.status, status)) return status;
  const { name, namespace, uid } = pod.metadata;
  // A strategic patch leaves other writers' conditions alone. Fields that are over must be named.
  const cleared = { ...(pod.status?.reason && !status.reason ? { reason: null, message: null } : {}) };
  const conditions = (status.conditions ?? []).map((condition) => ({ reason: null, message: null, ...condition }));
  try {
    await node.client.patch(pods, name!, { type: 'strategic', body: { metadata: { uid }, status: { ...cleared, ...status, conditions } } }, { namespace: namespace!, subresource: 'status' });
  } catch (error) {
    if (!isFault(error, 'not-found', 'conflict')) throw error;
  }
  return status;
}

/** Whether the object says all of `status` already (as after a restart of the kubelet). */
function holds(known: PodStatus | undefined, status: PodStatus): boolean {
  if (!known) return false;
  const { conditions, ...rest } = status;
  const same = Object.entries(rest).every(([key, value]) => isDeepStrictEqual(known[key as keyof PodStatus], value));
  return same && (conditions ?? []).every((condition) => known.conditions?.some((other) => isDeepStrictEqual(other, condition)));
}
