/**
 * The Kubernetes client: what controllers, the node agent, the demo and outsiders use alike. Its transport is
 * injected: HTTPS, or in-process (which hands over the API server's frozen objects with no serialisation).
 * Objects that come out are frozen: never mutate them, build new ones.
 * Failures are `Fault`s with `details.status` (the API's Status) and kinds: 404 not-found, 409 AlreadyExists
 * already-exists, 409 Conflict conflict, 410 expired, 422 invalid, 403 forbidden, 429/503 unavailable.
 */
import type { KubeObject, ListMeta } from '#api/kube/types.ts';

/** Names a served resource. */
export interface ResourceRef {
  group: string; // '' is core
  version: string;
  resource: string; // plural, lower case
}

export interface KubeClient {
  get<T = KubeObject>(ref: ResourceRef, name: string, namespace?: string, options?: { signal?: AbortSignal }): Promise<T>;
  list<T = KubeObject>(ref: ResourceRef, options?: ListOptions): Promise<KubeList<T>>;
  /** Events from `resourceVersion` on; ends by the signal or when the server ends it; throws `expired`. */
  watch<T = KubeObject>(ref: ResourceRef, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  create<T = KubeObject>(ref: ResourceRef, object: T, options?: WriteOptions): Promise<T>;
  update<T = KubeObject>(ref: ResourceRef, object: T, options?: WriteOptions): Promise<T>;
  patch<T = KubeObject>(ref: ResourceRef, name: string, patch: Patch, options?: WriteOptions & { namespace?: string }): Promise<T>;
  delete(ref: ResourceRef, name: string, options?: DeleteOptions): Promise<void>;
  /** Any other request of the API, as JSON (`/version`, `/apis/…`); for subresources that are objects. */
  request<T>(method: string, path: string, body?: unknown, options?: { signal?: AbortSignal; contentType?: string }): Promise<T>;
  /** A GET whose body is a stream of bytes (logs). */
  stream(path: string, options: { signal: AbortSignal }): Promise<AsyncIterable<Uint8Array>>;
}

export interface KubeList<T> {
  items: readonly T[];
  metadata: ListMeta;
}

export interface ListOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  signal?: AbortSignal;
}

export interface WatchOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  allowWatchBookmarks?: boolean;
  signal: AbortSignal;
}

export type WatchEvent<T> = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T };

export interface WriteOptions {
  /** `status`, `scale`, `binding`, `token`, … : the subresource that is written. `name` says whose, where the body has none. */
  subresource?: string;
  name?: string;
  namespace?: string;
  fieldManager?: string;
  dryRun?: boolean;
  signal?: AbortSignal;
}

export type Patch =
  | { type: 'json'; body: readonly unknown[] }
  | { type: 'merge' | 'strategic'; body: unknown }
  | { type: 'apply'; body: unknown; force?: boolean };

export interface DeleteOptions {
  namespace?: string;
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  preconditions?: { uid?: string; resourceVersion?: string };
  signal?: AbortSignal;
}
