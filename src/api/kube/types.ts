/**
 * The Kubernetes wire contract: every API object as the JSON it is on the wire.
 *
 * An object has an `apiVersion` (`apps/v1`; the core group writes `v1` alone), a `kind`, and `metadata`.
 * Its name is unique among its resource in its namespace; its `uid` among all objects ever. `spec` is what is
 * wanted, `status` what was last seen. Every write gives it a new `resourceVersion`: an opaque text that
 * readers compare for equality only. A deletion with finalizers or a grace period left only sets
 * `deletionTimestamp`; the object goes when both are done.
 *
 * Objects in caches are frozen and shared: whoever changes one copies it first.
 */
import type { ObjectMeta } from './generated/types.ts';

export type * from './generated/types.ts';

/** Any object whose kind is not known beforehand. */
export type KubeObject = {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [key: string]: unknown;
};

export interface GroupVersionKind {
  /** Empty for the core group. */
  group: string;
  version: string;
  kind: string;
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(gv: { group: string; version: string }): string {
  return gv.group === '' ? gv.version : `${gv.group}/${gv.version}`;
}

/** The reverse of `apiVersionOf`. */
export function parseApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  if (slash < 0) return { group: '', version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}
