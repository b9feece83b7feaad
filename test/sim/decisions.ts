import type { KubeObject, Pod } from '#api/kube/types.ts';
import { monotonicMs } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';

interface Deciding {
  /** When the first request of an unbroken row of them was made: what it was decided by was known then. */
  since: number;
  /** Up to which revisions of pods the controllers were told then. */
  pods: number;
  pending: number;
  endedAt: number;
}

type Metadata = Partial<KubeObject['metadata']>;

/** An object in one state. */
const stateOf = ({ uid, resourceVersion }: Metadata): string => `${uid}@${resourceVersion}`;

/**
 * Which request of the controllers belongs to which decision. A controller decides by what it was told, and then makes one
 * request after the other; no time passes between them. So the row of requests about one object tells when it decided.
 */
export class Decisions {
  readonly #clock: Clock;
  readonly #of = new Map<string, Deciding>();
  /** States that the garbage collector asked to delete, and to take finalizers from: of all controllers it alone says which state it means. */
  readonly #collected = new Set<string>();
  readonly #finished = new Set<string>();
  /** Uids of pods that a set asked to delete, or that were to leave their node. */
  readonly #givenUp = new Set<string>();
  #toldOfPods = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The controllers start anew: what others had begun nobody goes on with. */
  restart(): void {
    this.#of.clear();
  }

  told(resource: string, revision: number): void {
    if (resource === 'pods') this.#toldOfPods = Math.max(this.#toldOfPods, revision);
  }

  /** Of the requests about `uid` that are under way; undefined where there are none. */
  of(uid: string): Readonly<Deciding> | undefined {
    const deciding = this.#of.get(uid);
    return deciding && deciding.pending > 0 ? deciding : undefined;
  }

  /** Whether the garbage collector asked for the deletion of just this state. */
  isCollected({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
    return this.#collected.has(stateOf(metadata));
  }

  /** Whether a set gave the pod up. */
  isGivenUp({ metadata: { uid = '' } }: Pick<KubeObject, 'metadata'>): boolean {
    return this.#givenUp.has(uid);
  }

  /** Whether it asked to take a finalizer from just this state. */
  isFinished({ metadata }: Pick<KubeObject, 'metadata'>): boolean {
    return this.#finished.has(stateOf(metadata));
  }

  /** The controllers' client, noting what it is asked. @param find the object that the store has of that name */
  witness(client: KubeClient, find: (ref: ResourceRef, name: string, namespace: string | undefined) => KubeObject | undefined): KubeClient {
    const owner = (object: unknown): string | undefined => controllerOf(object as Pod)?.uid;
    const ownerOf = (ref: ResourceRef, name: string, namespace: string | undefined): string | undefined => {
      const object = find(ref, name, namespace);
      return object && owner(object);
    };
    return {
      get: (ref, name, namespace, more) => this.#during(ref.resource === 'replicasets' ? ownerOf(ref, name, namespace) : undefined, () => client.get(ref, name, namespace, more)),
      list: (...call) => client.list(...call),
      create: (ref, object, more) => this.#during(ref.resource === 'replicasets' || ref.resource === 'pods' ? owner(object) : undefined, () => client.create(ref, object, more)),
      update: (ref, object, more) => this.#during(ref.resource === 'replicasets' && more?.subresource === undefined ? owner(object) : undefined, () => client.update(ref, object, more)),
      patch: (ref, name, patch, more) => {
        if ('finalizers' in metadataOf(patch.body)) this.#finished.add(stateOf(metadataOf(patch.body)));
        const deployment = ref.resource === 'deployments' ? find(ref, name, more?.namespace)?.metadata.uid : undefined;
        const set = ref.resource === 'pods' && 'ownerReferences' in metadataOf(patch.body) ? adopting(patch.body) ?? ownerOf(ref, name, more?.namespace) : undefined;
        return this.#during(deployment ?? set, () => client.patch(ref, name, patch, more));
      },
      delete: (ref, name, more) => {
        const { preconditions: { uid, resourceVersion } = {}, gracePeriodSeconds, propagationPolicy } = more ?? {};
        if (resourceVersion !== undefined) this.#collected.add(stateOf({ uid, resourceVersion }));
        else if (uid !== undefined && gracePeriodSeconds === undefined && propagationPolicy === undefined) this.#givenUp.add(uid);
        return client.delete(ref, name, more);
      },
      request: (...call) => client.request(...call),
      stream: (...call) => client.stream(...call),
      watch: (...call) => client.watch(...call),
    };
  }

  async #during<T>(uid: string | undefined, run: () => Promise<T>): Promise<T> {
    if (uid === undefined) return run();
    const now = monotonicMs(this.#clock);
    const before = this.#of.get(uid);
    const goesOn = before !== undefined && (before.pending > 0 || before.endedAt === now);
    const deciding = goesOn ? before : { since: now, pods: this.#toldOfPods, pending: 0, endedAt: 0 };
    this.#of.set(uid, deciding);
    deciding.pending++;
    try {
      return await run();
    } finally {
      deciding.pending--;
      deciding.endedAt = monotonicMs(this.#clock);
    }
  }
}

const metadataOf = (body: unknown): Metadata => (body as { metadata?: Metadata }).metadata ?? {};

function adopting(body: unknown): string | undefined {
  return metadataOf(body).ownerReferences?.find(({ controller }) => controller === true)?.uid;
}
