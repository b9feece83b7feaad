import type { KubeObject } from '#api/kube/types.ts';
import type { Resource } from '#cluster/resources/types.ts';
import type { Store } from '#core/store/types.ts';
import { must } from '#lib/assert.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { Expiry } from './storage/expiry.ts';
import type { ResourceTable } from './resource-table.ts';
import type { ObjectCache } from './storage/cache.ts';
import type { Caches } from './storage/caches.ts';
import { CachedObject, deepFreeze } from './storage/object.ts';
import type { AdmissionStep } from './types.ts';

/** What the verbs work on. */
export interface Core {
  store: Store;
  caches: Caches;
  resources: ResourceTable;
  objects: ObjectsTable;
  admission: readonly AdmissionStep[];
  expiry: Expiry;
  clock: Clock;
  random: Random;
  log: Logger;
}

/** Fields by which objects are found without a scan, by plural. */
const indexedFields: Record<string, string[]> = { pods: ['spec.nodeName'] };

/** Declares the storage folders of all resources; several versions or groups of one kind share a folder. */
export function addCaches(caches: Caches, resources: readonly Resource[]): Map<string, ObjectCache> {
  const byFolder = new Map<string, ObjectCache>();
  for (const resource of resources) {
    if (resource.storage === '' || resource.convert || byFolder.has(resource.storage)) continue;
    const indexed = indexedFields[resource.plural] ?? [];
    byFolder.set(resource.storage, caches.add(resource.storage, { indexed, fieldsOf: (object) => resource.selectableFields(object) }));
  }
  return byFolder;
}

/** The objects of one resource: its cache and its keys. */
export class Objects {
  readonly resource: Resource;
  readonly cache: ObjectCache;
  readonly #shown = new WeakMap<CachedObject, CachedObject>();

  constructor(resource: Resource, cache: ObjectCache) {
    this.resource = resource;
    this.cache = cache;
  }

  key(namespace: string, name: string): string {
    return this.resource.namespaced ? `${this.cache.prefix}${namespace}/${name}` : `${this.cache.prefix}${name}`;
  }

  /** Of all keys in `namespace`; of all where it is empty. */
  prefix(namespace: string): string {
    return namespace === '' ? this.cache.prefix : `${this.cache.prefix}${namespace}/`;
  }

  get(namespace: string, name: string): CachedObject | undefined {
    const found = this.cache.get(this.key(namespace, name));
    return found && this.show(found);
  }

  /** The object in this resource's kind, where another one is stored. */
  show(stored: CachedObject): CachedObject {
    const { convert } = this.resource;
    if (!convert) return stored;
    let shown = this.#shown.get(stored);
    if (!shown) {
      shown = new CachedObject(stored.key, stored.revision, deepFreeze(convert.fromStored(stored.object)), stored.size);
      this.#shown.set(stored, shown);
    }
    return shown;
  }

  /** The object in the kind that is stored. */
  toStored(object: KubeObject): KubeObject {
    return this.resource.convert ? this.resource.convert.toStored(object) : object;
  }

  fields(object: CachedObject): Readonly<Record<string, string>> {
    return object.fields((value) => this.resource.selectableFields(value));
  }
}

/** The objects of every resource that is stored. */
export class ObjectsTable {
  #byResource = new Map<Resource, Objects>();

  constructor(resources: readonly Resource[], caches: ReadonlyMap<string, ObjectCache>) {
    for (const resource of resources) {
      const cache = caches.get(resource.storage);
      if (cache) this.#byResource.set(resource, new Objects(resource, cache));
    }
  }

  of(resource: Resource): Objects {
    return must(this.#byResource.get(resource), `the storage of ${resource.plural}`);
  }

  /** The resource's own, or undefined where it is not stored. */
  find(resource: Resource | undefined): Objects | undefined {
    return resource && this.#byResource.get(resource);
  }

  stored(resource: Resource): boolean {
    return this.#byResource.has(resource);
  }
}
