/** All pods of the node: one worker each, fed by the watch and by the events of containers. */
import type { Pod } from '#api/kube/types.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';
import { podObjects } from '../objects.ts';
import { labelOf, owner } from '../types.ts';
import type { NodeContext } from '../types.ts';
import { somethingLeft } from './place.ts';
import { refusalOf, shortageOf, wasTaken } from './refuse.ts';
import type { Refusal } from './refuse.ts';
import { removeStray, uidsOnNode } from './strays.ts';
import { PodWorker } from './worker.ts';

export class PodManager {
  readonly #node: NodeContext;
  readonly #workers = new Map<string, PodWorker>();
  readonly #pods = new Map<string, Pod>();
  readonly #unobserve: () => void;
  #stopped = false;

  constructor(node: NodeContext) {
    this.#node = node;
    this.#unobserve = node.core.containers.observe((event) => {
      if (event.status.owner === owner) this.#workers.get(event.status.labels[labelOf.uid] ?? '')?.wake();
    });
  }

  /** By namespace and name, as the server's requests name it. */
  find(namespace: string, name: string): Pod | undefined {
    return [...this.#pods.values()].find((pod) => pod.metadata.namespace === namespace && pod.metadata.name === name && !pod.metadata.deletionTimestamp) ?? [...this.#pods.values()].find((pod) => pod.metadata.namespace === namespace && pod.metadata.name === name);
  }

  /** A pod of this node, new or changed. Those that were taken on before come before those that are new. */
  set(pod: Pod): void {
    if (this.#stopped) return;
    const uid = pod.metadata.uid!;
    this.#pods.set(uid, pod);
    const worker = this.#workers.get(uid);
    if (worker) {
      worker.update(pod);
      return;
    }
    const objects = podObjects(this.#node, pod.metadata.namespace!);
    const made = new PodWorker(this.#node, pod, objects, this.#refusalOf(pod), () => {
      this.#workers.delete(uid);
      this.#pods.delete(uid);
    });
    this.#workers.set(uid, made);
    if (pod.metadata.deletionTimestamp) made.update(pod);
  }

  #refusalOf(pod: Pod): Refusal | undefined {
    if (isFinishedPod(pod) || pod.metadata.deletionTimestamp) return undefined;
    const refusal = refusalOf(pod);
    const uid = pod.metadata.uid!;
    if (refusal || wasTaken(pod) || somethingLeft(this.#node, uid)) return refusal;
    const others = [...this.#pods.values()].filter((other) => other.metadata.uid !== uid && this.#workers.get(other.metadata.uid!)?.hasRoom);
    return shortageOf(pod, others, this.#node.room);
  }

  remove(pod: Pod): void {
    this.#workers.get(pod.metadata.uid!)?.gone();
  }

  /** At the start: what is on the node of pods that are gone. `pods` are those that are bound to it. */
  async removeStrays(pods: readonly Pod[]): Promise<void> {
    const uids = new Set(pods.map((pod) => pod.metadata.uid!));
    for (const uid of uidsOnNode(this.#node)) {
      if (uids.has(uid) || this.#workers.has(uid)) continue;
      this.#node.log.info('removing what is left of a pod that is gone', { uid });
      try {
        await removeStray(this.#node, uid);
      } catch (error) {
        this.#node.log.error('cannot remove what is left of a pod', { uid, error });
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unobserve();
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
  }
}
