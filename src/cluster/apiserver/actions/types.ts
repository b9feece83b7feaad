import type { KubeObject } from '#api/kube/types.ts';
import type { Server } from '../server-core.ts';
import type { Context, Target } from '../types.ts';

export interface ActionRequest {
  server: Server;
  target: Target;
  /** What was sent, decoded; the action may change it. */
  object: KubeObject;
  context: Context;
}

/** Something that a POST does and that is not storing its body: a review, a binding, an eviction, a token. */
export interface Action {
  group: string;
  resource: string;
  /** Empty for a resource that is not stored (reviews). */
  subresource: string;
  run(request: ActionRequest): Promise<{ code: number; object: { apiVersion: string; kind: string } }>;
}

export type Actions = readonly Action[];
