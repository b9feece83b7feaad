/**
 * The machinery of control loops. All of the cluster's own parts work alike:
 *
 * An *informer* keeps a frozen copy of a resource: it lists, then watches, and lists again where the watch was
 * broken off. Its handlers turn a change into the *key* (`namespace/name`) of what should be looked at, and put
 * it in a *work queue*, which holds each key once. A controller's *workers* take keys: `reconcile(key)` reads
 * the newest copy, decides, acts, and returns; what fails is tried again, later each time. Nothing is
 * remembered between two reconciles that the API does not know, but *expectations*: what was just created or
 * deleted and is not in the copy yet, and *own writes*: up to which revision the copy must be for that.
 *
 * All ends by the signal. Keys in a queue are as many as there are objects, at most.
 */
import type { ObjectMeta, ObjectReference } from '#api/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';

/** What every API object is, to the machinery. */
export interface ApiObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export type ObjectChange<T> =
  | { type: 'ADDED'; object: T; old?: undefined }
  | { type: 'MODIFIED'; object: T; old: T }
  | { type: 'DELETED'; object: T; old?: undefined };

export interface Informer<T> {
  readonly ref: ResourceRef;
  /** By `namespace/name`, or by name where it has no namespace. */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** The objects that `addIndex` filed under `value`. */
  byIndex(index: string, value: string): readonly T[];
  /** Files objects under values; the same name with the same meaning may be added again. */
  addIndex(index: string, valuesOf: (object: T) => readonly string[]): void;
  /** Hears of every change; what is there already comes as ADDED, at once. The handler must not throw. */
  onChange(handler: (change: ObjectChange<T>) => void): void;
  /** Resolves when the first list is in; rejects with `canceled` where the signal comes first. */
  readonly synced: Promise<void>;
  /** Resolves when the informer has ended, by its signal. */
  readonly done: Promise<void>;
  /** The version of the newest list or change seen. */
  resourceVersion(): string;
}

/** Informers that all controllers of a process share: one for each resource. */
export interface Informers {
  of<T extends ApiObject>(ref: ResourceRef): Informer<T>;
}

export interface EventRecorder {
  /** Says of `object` what happened, in the name of `component`. Never fails, never waits; a repeated one raises its count. */
  record(component: string, object: ApiObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** The same of what `about` names: a part of an object (`spec.containers{web}`), or one that is not at hand. */
  recordAbout(component: string, about: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when all that was said is written or given up. */
  flush(): Promise<void>;
}

export interface ControllerContext {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  random: Random;
  signal: AbortSignal;
  informers: Informers;
  events: EventRecorder;
}

export interface Controller {
  readonly name: string;
  /** Works until the context's signal is aborted. */
  run(): Promise<void>;
}

export type ControllerFactory = (context: ControllerContext) => Controller;

export function keyOf(object: { metadata: ObjectMeta }): string {
  const { namespace, name } = object.metadata;
  return keyFor(namespace, name);
}

export function keyFor(namespace: string | undefined, name: string | undefined): string {
  return namespace === undefined || namespace === '' ? (name ?? '') : `${namespace}/${name ?? ''}`;
}

export function parseKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
