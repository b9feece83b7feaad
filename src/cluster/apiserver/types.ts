/**
 * The API server: one generic server over resource values (`cluster/resources`).
 *
 * A *request* has a *user* (who), a *verb*, and a *target*: a resource (and perhaps a namespace, a name, a
 * subresource), or a path. Its life: authenticate -> authorize -> decode -> the verb -> answer. The verb on an
 * object runs defaults, preparation, *admission* (ordered steps that may change or refuse the object, knowing
 * other objects) and validation, then writes it with the condition that nobody else did meanwhile.
 *
 * An object's *resourceVersion* is the store revision that wrote it. All objects are in memory, in key order, in
 * the *cache* of their storage folder, each state once as a frozen value and once as bytes; one *feed* (a watch of
 * the store) fills all caches, and a write answers only when the feed has brought it back, so that every
 * read sees every answered write.
 *
 * The HTTPS door and the in-process client call the same verbs and pass the same checks.
 */
import type { GroupVersionKind, KubeObject } from '#api/kube/types.ts';
import type { Compare, Operation } from '#core/store/types.ts';
import type { Resource, Subresource } from '#cluster/resources/types.ts';

/** Who asks. */
export interface User {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** Verbs as rights name them; for paths they are HTTP methods in lower case. */
export type RequestVerb = string;

/** What is asked for, as authorization sees it. */
export interface Attributes {
  user: User;
  verb: RequestVerb;
  /** Absent where a plain path is asked for. */
  resource?: ResourceAttributes;
  path?: string;
}

export interface ResourceAttributes {
  group: string;
  version: string;
  resource: string;
  subresource: string;
  /** Empty at cluster scope, and for all namespaces. */
  namespace: string;
  /** Empty for collections. */
  name: string;
  /** What a collection is narrowed to. */
  fieldSelector?: string;
}

export interface Decision {
  allowed: boolean;
  reason: string;
}

export interface Authorizer {
  authorize(attributes: Attributes): Decision;
}

/** One request to a verb, whichever door it came through. */
export interface Context {
  user: User;
  /** Texts for the `Warning` header, in order. */
  warnings: string[];
  /** The name under which managed fields are kept. */
  fieldManager: string;
  /** Nothing is stored; all else happens. */
  dryRun: boolean;
}

/** What admission sees of a write. `object` may be changed in place, `old` is frozen. */
export interface AdmissionRequest {
  operation: 'CREATE' | 'UPDATE' | 'DELETE';
  context: Context;
  resource: Resource;
  /** Empty for the object itself. */
  subresource: string;
  namespace: string;
  name: string;
  /** The object to be stored; for an action, what was sent. Absent for DELETE. */
  object?: KubeObject;
  old?: KubeObject;
  /** What must hold and be written in the same transaction (addresses taken); steps add to it. */
  also: { compare: Compare[]; then: Operation[] };
}

/** A step of admission: changes the object, or throws to refuse the write. Steps run in the order of their list. */
export interface AdmissionStep {
  name: string;
  admit(request: AdmissionRequest): Promise<void> | void;
}

/** Where a resource request goes. */
export interface Target {
  resource: Resource;
  subresource?: Subresource;
  namespace: string;
  name: string;
}

export type { GroupVersionKind };
