import type { ParsedLabelSelector } from '#api/kube/labels.ts';
import { selectorOfMap, selectorOfObject } from '#api/kube/labels.ts';
import type { ObjectMeta, PodTemplateSpec, ReplicaSet, ReplicationController, ReplicaSetStatus } from '#api/kube/types.ts';
import { replicaSets, replicationControllers } from '#client/kube/resources.ts';
import type { ResourceRef } from '#client/kube/types.ts';

/**
 * A replica set or a replication controller: both keep a number of pods made from one template. They differ only
 * in how they write their selector.
 */
export interface Replicated {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: { replicas: number; minReadySeconds: number; template: PodTemplateSpec | undefined };
  /** Undefined selects nothing. */
  selector: ParsedLabelSelector | undefined;
  status: ReplicaSetStatus;
}

export interface ReplicatedKind<T> {
  /** Of the controller, in logs and events. */
  component: string;
  ref: ResourceRef;
  read(object: T): Replicated;
}

export const replicaSetKind: ReplicatedKind<ReplicaSet> = {
  component: 'replicaset-controller',
  ref: replicaSets,
  read: ({ apiVersion, kind, metadata, spec, status }) => ({
    apiVersion, kind, metadata,
    spec: { replicas: spec.replicas ?? 1, minReadySeconds: spec.minReadySeconds ?? 0, template: spec.template },
    selector: selectorOfObject(spec.selector),
    status: status ?? { replicas: 0 },
  }),
};

export const replicationControllerKind: ReplicatedKind<ReplicationController> = {
  component: 'replication-controller',
  ref: replicationControllers,
  read: ({ apiVersion, kind, metadata, spec, status }) => ({
    apiVersion, kind, metadata,
    spec: { replicas: spec?.replicas ?? 1, minReadySeconds: spec?.minReadySeconds ?? 0, template: spec?.template },
    selector: spec?.selector === undefined || Object.keys(spec.selector).length === 0 ? undefined : selectorOfMap(spec.selector),
    status: status ?? { replicas: 0 },
  }),
};
