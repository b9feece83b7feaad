/** Finds out about owners: from the graph, and where it does not know one, from the API itself. */
import type { OwnerReference } from '#api/kube/types.ts';
import { parseApiVersion } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import type { KubeClient } from '#client/kube/types.ts';
import type { ApiObject } from '#cluster/machinery/types.ts';
import type { Served } from '../discovery.ts';
import { listAll } from '../discovery.ts';
import type { Item, OwnershipGraph } from './graph.ts';
import { ownersOf, uidOf } from './graph.ts';
import type { Owner } from './plan.ts';
import { isWaiting } from './plan.ts';

/** Uids of owners that are known to be gone; the oldest is forgotten. */
const absentLimit = 10_000;

export class Owners {
  readonly #client: KubeClient;
  readonly #graph: OwnershipGraph;
  readonly #absent = new Set<string>();
  #served: readonly Served[] = [];

  constructor(client: KubeClient, graph: OwnershipGraph) {
    this.#client = client;
    this.#graph = graph;
  }

  serve(served: readonly Served[]): void {
    this.#served = served;
  }

  /** The informer showed that it is gone: uids do not come back. */
  gone(uid: string): void {
    this.#absent.add(uid);
    const oldest = this.#absent.keys().next();
    if (this.#absent.size > absentLimit && !oldest.done) this.#absent.delete(oldest.value);
  }

  of(item: Item, signal: AbortSignal): Promise<Owner[]> {
    const state = async (reference: OwnerReference): Promise<Owner> => ({ reference, state: await this.#stateOf(item, reference, signal) });
    return Promise.all(ownersOf(item).map(state));
  }

  /**
   * What names the item as owner, read anew: informers of other kinds may be behind the one that showed its deletion, and
   * what they have not shown yet would be forgotten for good.
   */
  async dependentsOf(item: Item, signal: AbortSignal): Promise<Item[]> {
    const uid = uidOf(item);
    const { namespace } = item.object.metadata;
    const kinds = this.#served.filter(({ namespaced }) => namespace === undefined || namespaced);
    const found = await Promise.all(kinds.map(async (served) => (await listAll(this.#client, served, namespace, signal)).map((object) => ({ served, object }))));
    return found.flat().filter((one) => ownersOf(one).some((owner) => owner.uid === uid));
  }

  async #stateOf({ object: { metadata } }: Item, reference: OwnerReference, signal: AbortSignal): Promise<Owner['state']> {
    const { namespace } = metadata;
    const known = this.#graph.get(reference.uid);
    if (known && isSame(known, reference)) {
      // What has a namespace can own things in it alone.
      const owner = known.object.metadata.namespace;
      if (owner !== undefined && namespace !== undefined && owner !== namespace) return 'absent';
      return isWaiting(known) ? 'waiting' : 'solid';
    }
    if (this.#absent.has(reference.uid)) return 'absent';
    const served = this.#servedKind(reference);
    // A kind that is not served says nothing about its objects; and a cluster's own object has no owner in a namespace.
    if (!served || (served.namespaced && namespace === undefined)) return 'solid';
    if (await this.#exists(served, reference, namespace, signal)) return 'solid';
    this.gone(reference.uid);
    return 'absent';
  }

  #servedKind({ apiVersion, kind }: OwnerReference): Served | undefined {
    const { group } = parseApiVersion(apiVersion);
    return this.#served.find(({ ref, kind: own }) => ref.group === group && own === kind);
  }

  /** The informer of the owner may be behind that of what it owns. */
  async #exists({ ref, namespaced }: Served, { name, uid }: OwnerReference, namespace: string | undefined, signal: AbortSignal): Promise<boolean> {
    try {
      const found = await this.#client.get<ApiObject>(ref, name, namespaced ? namespace : undefined, { signal });
      return found.metadata.uid === uid;
    } catch (error) {
      if (isFault(error, 'not-found')) return false;
      throw error;
    }
  }
}

/** Whether a reference names the object, and not only its uid. */
function isSame({ served, object }: Item, { apiVersion, kind, name }: OwnerReference): boolean {
  return object.metadata.name === name && served.kind === kind && served.ref.group === parseApiVersion(apiVersion).group;
}
