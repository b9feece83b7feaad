/**
 * Resources: what the generic API server needs to know about a kind, as a value.
 *
 * A resource is served under `<group>/<version>/<plural>`; its objects have one `kind`. The server does the
 * same with all of them, in this order, on an object that is its own (each step changes it in place):
 *
 *   create:  decode -> defaults -> prepareForCreate -> admission -> validate -> store
 *   update:  decode -> defaults -> prepareForUpdate(new, old) -> admission -> validateUpdate(new, old) -> store
 *   read:    store -> (Table: columns and row)
 *
 * A subresource is another door to the same object: `status` changes only the status, `scale` shows it as a
 * Scale; an action (binding, eviction, token) takes a kind of its own and does something; a connect opens a
 * stream (log, exec). Two resources may share one storage (the core and the events.k8s.io Event): then
 * `convert` says how the stored kind is written as this one.
 *
 * Everything here is pure: no clock, no store, no other object. What needs other objects (addresses, quotas,
 * existence of a namespace) is admission's.
 */
import type { FieldError } from '#api/kube/field-errors.ts';
import type { GroupVersionKind, KubeObject } from '#api/kube/types.ts';

export type { FieldError } from '#api/kube/field-errors.ts';

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

export interface Column {
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** `name` for the object's name; else empty. */
  format: string;
  description: string;
  /** 0 is always shown; 1 with `-o wide`. */
  priority: 0 | 1;
}

export type Cell = string | number | boolean | null;

export interface RowContext {
  /** Milliseconds since 1970, for ages. */
  now: number;
}

interface SubresourceBase {
  name: string;
  verbs: readonly Verb[];
  /** The kind that goes in and out; where absent, the resource's own. */
  kind?: GroupVersionKind;
}

/** Reads and writes a part of the object, in the object's own kind. */
export interface ObjectSubresource<T extends KubeObject = KubeObject> extends SubresourceBase {
  type: 'object';
  /** Puts back from `old` all that this door may not change. */
  prepareForUpdate(object: T, old: T): void;
  validateUpdate(object: T, old: T): FieldError[];
}

/** The object as an `autoscaling/v1` Scale; paths are dotted JSON names. */
export interface ScaleSubresource extends SubresourceBase {
  type: 'scale';
  specReplicas: string;
  statusReplicas: string;
  /** Where the selector is: a LabelSelector, or a plain map of labels (replication controllers). */
  selector: string;
}

/** Takes `kind` by create and answers with a result; the server implements each by name. */
export interface ActionSubresource extends SubresourceBase {
  type: 'action';
}

/** Opens a stream or passes a request through; the server implements each by name. */
export interface ConnectSubresource extends SubresourceBase {
  type: 'connect';
}

export type Subresource<T extends KubeObject = KubeObject> =
  | ObjectSubresource<T>
  | ScaleSubresource
  | ActionSubresource
  | ConnectSubresource;

export interface Conversion<T extends KubeObject = KubeObject> {
  /** Makes the stored kind of an object of this kind. */
  toStored(object: T): KubeObject;
  /** Makes this kind of a stored object, which stays as it is. */
  fromStored(stored: KubeObject): T;
}

export interface Resource<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  /** The message in `api/kube` that describes it: `apps.v1.Deployment`. */
  readonly message: string;
  /** The folder its objects are kept under; resources with the same one share their objects. */
  readonly storage: string;
  /** Only where the stored kind is another resource's. */
  readonly convert?: Conversion<T>;
  readonly subresources: readonly Subresource<T>[];
  readonly columns: readonly Column[];
  /** One cell per column. */
  row(object: T, context: RowContext): Cell[];
  /** Seconds a deletion waits by default, or undefined where objects go at once. */
  gracePeriodSeconds(object: T): number | undefined;
  /** Whether PUT of an object that does not exist creates it. */
  readonly allowCreateOnUpdate: boolean;
  /** Whether an update without a resourceVersion is taken as the newest. */
  readonly allowUnconditionalUpdate: boolean;

  /** Fills in what the client left out. Runs on every decode, so it must be idempotent. */
  defaults(object: T): void;
  /** Empties what a client may not set on create (status) and sets what the server owns (generation 1). */
  prepareForCreate(object: T): void;
  /** Puts back what an ordinary update may not change (status) and counts `generation` up on a spec change. */
  prepareForUpdate(object: T, old: T): void;
  validate(object: T): FieldError[];
  validateUpdate(object: T, old: T): FieldError[];
  /** Texts for the `Warning` header on create and update. */
  warnings(object: T): string[];
  /** Values that field selectors may name; `metadata.name` (and `metadata.namespace`) among them. */
  selectableFields(object: T): Record<string, string>;
}
