/** Who owns whom, among all objects of the cluster that informers have shown. */
import type { OwnerReference } from '#api/kube/types.ts';
import type { ApiObject } from '#cluster/machinery/types.ts';
import type { Served } from '../discovery.ts';

export interface Item {
  served: Served;
  object: ApiObject;
}

export class OwnershipGraph {
  readonly #items = new Map<string, Item>();
  /** Uids of what names an owner, by the owner's uid; the owner need not be there. */
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): Item | undefined {
    return this.#items.get(uid);
  }

  dependentsOf(uid: string): Item[] {
    return [...(this.#dependents.get(uid) ?? [])].flatMap((dependent) => this.#items.get(dependent) ?? []);
  }

  set(item: Item): void {
    const uid = uidOf(item);
    this.delete(uid);
    this.#items.set(uid, item);
    for (const owner of ownersOf(item)) {
      const dependents = this.#dependents.get(owner.uid) ?? new Set<string>();
      this.#dependents.set(owner.uid, dependents.add(uid));
    }
  }

  delete(uid: string): void {
    const item = this.#items.get(uid);
    if (!item) return;
    this.#items.delete(uid);
    for (const owner of ownersOf(item)) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}

export function uidOf({ object }: Item): string {
  return object.metadata.uid ?? '';
}

export function ownersOf({ object }: Item): readonly OwnerReference[] {
  return object.metadata.ownerReferences ?? [];
}

export function nameOf({ served, object: { metadata } }: Item): string {
  const { namespace, name } = metadata;
  return `${served.ref.resource} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
