import type { KubeObject, OwnerReference } from '#api/kube/types.ts';
import type { Decisions } from './decisions.ts';

const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

/** Who owns whom: nothing is collected that has an owner, what is orphaned is let go first, and who waits goes last. */
export class Ownership {
  readonly #decisions: Decisions;
  readonly #say: (problem: string) => void;
  readonly #objects = new Map<string, { key: string; object: KubeObject }>();
  /** Uids of what was to go after what it owns: somebody may have deleted it again, in another way, before that was told. */
  readonly #waited = new Set<string>();
  /** Uids of what names an owner, by the owner's uid; and which of them did so before the owner's deletion began. */
  readonly #dependents = new Map<string, Map<string, 'before' | 'since'>>();

  constructor(decisions: Decisions, say: (problem: string) => void) {
    this.#decisions = decisions;
    this.#say = say;
  }

  onObject(key: string, object: KubeObject | undefined, before: KubeObject | undefined): void {
    const goes = before && before.metadata.deletionTimestamp === undefined && object?.metadata.deletionTimestamp !== undefined;
    if (before && (goes || (!object && before.metadata.deletionTimestamp === undefined)) && this.#decisions.isCollected(before)) this.#onCollected(key, before);
    const after = object?.metadata.uid === before?.metadata.uid ? object : undefined;
    if (before) this.#onFinished(key, before, after);
    if (before && !after) this.#onGone(before);
    if (object) this.#note(key, object);
  }

  #note(key: string, object: KubeObject): void {
    const { uid = '', ownerReferences = [] } = object.metadata;
    this.#forget(this.#objects.get(uid)?.object, new Set(ownerReferences.map((owner) => owner.uid)));
    this.#objects.set(uid, { key, object });
    if (object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.includes(foregroundFinalizer)) this.#waited.add(uid);
    for (const owner of ownerReferences) {
      const dependents = this.#dependents.get(owner.uid) ?? new Map<string, 'before' | 'since'>();
      const late = this.#objects.get(owner.uid)?.object.metadata.deletionTimestamp !== undefined;
      if (!dependents.has(uid)) dependents.set(uid, late ? 'since' : 'before');
      this.#dependents.set(owner.uid, dependents);
    }
  }

  #forget(before: KubeObject | undefined, kept = new Set<string>()): void {
    for (const { uid } of before?.metadata.ownerReferences ?? []) if (!kept.has(uid)) this.#dependents.get(uid)?.delete(before?.metadata.uid ?? '');
  }

  #referenceTo(owner: string, dependent: string): OwnerReference | undefined {
    return this.#objects.get(dependent)?.object.metadata.ownerReferences?.find(({ uid }) => uid === owner);
  }

  /** The garbage collector takes only what nobody owns, or what its owner waits for. */
  #onCollected(key: string, { metadata: { namespace, ownerReferences = [] } }: KubeObject): void {
    for (const { uid, kind, name } of ownerReferences) {
      const owner = this.#objects.get(uid)?.object.metadata;
      if (!owner || (owner.namespace !== undefined && owner.namespace !== namespace)) continue;
      if (!this.#waited.has(uid)) this.#say(`${key} was collected while its owner ${kind} ${name} is there`);
    }
  }

  /** Of what was owned before the deletion began: what names an owner that goes already cannot have been seen in time. */
  #onFinished(key: string, before: KubeObject, after: KubeObject | undefined): void {
    const { uid = '', deletionTimestamp, finalizers = [] } = before.metadata;
    // Whoever deletes it again may mean it to go otherwise.
    const done = deletionTimestamp === undefined || !this.#decisions.isFinished(before) ? [] : finalizers.filter((finalizer) => !after?.metadata.finalizers?.includes(finalizer));
    if (!done.includes(orphanFinalizer) && !done.includes(foregroundFinalizer)) return;
    for (const [dependent, named] of this.#dependents.get(uid) ?? []) {
      const reference = this.#referenceTo(uid, dependent);
      if (named === 'since' || !reference || dependent === uid) continue;
      const what = this.#objects.get(dependent)?.key;
      if (done.includes(orphanFinalizer)) this.#say(`${key} goes, and ${what}, which is to outlive it, names it as owner still`);
      else if (reference.blockOwnerDeletion === true) this.#say(`${key} goes before ${what}, which it is to wait for`);
    }
  }

  #onGone({ metadata: { uid = '' } }: KubeObject): void {
    this.#forget(this.#objects.get(uid)?.object);
    this.#objects.delete(uid);
  }
}
