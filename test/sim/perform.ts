/** Carries operations out, as a person with kubectl would. */
import type { Deployment, KubeObject, OwnerReference, Pod, ReplicaSet } from '#api/kube/types.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import * as refs from '#client/kube/resources.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import type { Operation } from './operations.ts';
import { manifestOf, podOf, serviceOf, typeFields } from './operations.ts';

/** What operations can do besides requests. */
export interface Machines {
  loseNode(name: string, how: 'lose' | 'crash', forMs: number): void;
  removeNode(name: string): void;
  joinNode(name: string): void;
  killDaemon(forMs: number): void;
  restartDaemon(forMs: number): void;
  compact(): Promise<void>;
  /** Sets the time of day. */
  jumpClock(byMs: number): void;
  /** Waits for so many milliseconds. */
  wait(ms: number): Promise<void>;
}

const workloads: Record<string, ResourceRef> = { deployments: refs.deployments, replicasets: refs.replicaSets, replicationcontrollers: refs.replicationControllers };
export const holdFinalizer = 'sim.example/hold';
const stormPauseMs = 40;

/** Resolves with a word on the outcome; rejects as the request did. */
export async function perform(operation: Operation, client: KubeClient, machines: Machines): Promise<string> {
  switch (operation.do) {
    case 'create':
      await client.create(workloads[operation.kind] as ResourceRef, manifestOf(operation));
      return 'created';
    case 'scale':
      await client.patch(workloads[operation.kind] as ResourceRef, operation.name, { type: 'merge', body: { spec: { replicas: operation.replicas } } }, { namespace: operation.namespace });
      return 'scaled';
    case 'delete':
      await client.delete(workloads[operation.kind] as ResourceRef, operation.name, { namespace: operation.namespace, propagationPolicy: operation.policy });
      return 'deleted';
    case 'roll-out':
      return patchDeployment(client, operation, { template: { spec: { containers: [{ name: 'main', image: operation.image }] } } });
    case 'undo':
      return undo(client, operation);
    case 'pause':
      return patchDeployment(client, operation, { paused: operation.paused });
    case 'set-strategy':
      return patchDeployment(client, operation, { strategy: operation.strategy, revisionHistoryLimit: operation.history });
    case 'storm':
      return storm(client, operation, machines);
    case 'create-service':
      await client.create(refs.services, serviceOf(operation));
      return 'created';
    case 'select':
      await client.patch(refs.services, operation.name, { type: 'merge', body: { spec: { selector: { app: operation.app } } } }, { namespace: operation.namespace });
      return 'changed';
    case 'retype':
      await client.patch(refs.services, operation.name, { type: 'merge', body: { spec: typeFields(operation.type) } }, { namespace: operation.namespace });
      return 'changed';
    case 'create-owned':
    case 'add-owners':
    case 'delete-owned':
      return onOwned(client, operation);
    case 'hold':
      await client.patch(operation.kind === 'deployments' ? refs.deployments : refs.configMaps, operation.name, { type: 'merge', body: { metadata: { finalizers: [holdFinalizer] } } }, { namespace: operation.namespace });
      return 'held';
    case 'delete-service':
      await client.delete(refs.services, operation.name, { namespace: operation.namespace });
      return 'deleted';
    case 'create-pod':
      await client.create(refs.pods, podOf(operation));
      return 'created';
    case 'delete-pod':
    case 'relabel-pod':
      return onPod(client, operation);
    case 'create-namespace':
      await client.create(refs.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: operation.namespace } });
      return 'created';
    case 'delete-namespace':
      await client.delete(refs.namespaces, operation.namespace);
      return 'deleted';
    default:
      return onMachine(operation, client, machines);
  }
}

async function onMachine(operation: Operation, client: KubeClient, machines: Machines): Promise<string> {
  switch (operation.do) {
    case 'lose-node':
      machines.loseNode(operation.node, operation.how, operation.forMs);
      return 'lost';
    case 'remove-node':
      machines.removeNode(operation.node);
      await client.delete(refs.nodes, operation.node);
      return 'removed';
    case 'join-node':
      machines.joinNode(operation.node);
      return 'joined';
    case 'cordon':
    case 'uncordon':
      await client.patch(refs.nodes, operation.node, { type: 'merge', body: { spec: { unschedulable: operation.do === 'cordon' ? true : null } } });
      return `${operation.do}ed`;
    case 'drain':
      return drain(client, operation.node);
    case 'kill-daemon':
      machines.killDaemon(operation.forMs);
      return 'killed';
    case 'restart-daemon':
      machines.restartDaemon(operation.forMs);
      return 'stopping';
    case 'compact':
      await machines.compact();
      return 'compacted';
    case 'jump-clock':
      machines.jumpClock(operation.byMs);
      return 'jumped';
    default:
      throw new Error(`assertion failed: nobody performs ${operation.do}`);
  }
}

async function patchDeployment(client: KubeClient, { namespace, name }: { namespace: string; name: string }, spec: object): Promise<string> {
  await client.patch(refs.deployments, name, { type: 'strategic', body: { spec } }, { namespace });
  return 'changed';
}

async function onOwned(client: KubeClient, operation: Operation & { do: 'create-owned' | 'add-owners' | 'delete-owned' }): Promise<string> {
  const { namespace, name } = operation;
  if (operation.do === 'delete-owned') {
    await client.delete(refs.configMaps, name, { namespace, propagationPolicy: operation.policy });
    return 'deleted';
  }
  const owners: OwnerReference[] = [];
  for (const owner of new Set(operation.owners)) {
    const ref = owner.startsWith('d') ? refs.deployments : refs.configMaps;
    const found = await client.get<KubeObject>(ref, owner, namespace).catch(() => undefined);
    if (found) owners.push({ apiVersion: found.apiVersion, kind: found.kind, name: owner, uid: found.metadata.uid ?? '', blockOwnerDeletion: operation.block });
  }
  const metadata = { name, namespace, ownerReferences: owners };
  if (operation.do === 'create-owned') await client.create(refs.configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
  else await client.patch(refs.configMaps, name, { type: 'strategic', body: { metadata: { ownerReferences: owners } } }, { namespace });
  return `owned by ${owners.map((owner) => owner.name).join(', ') || 'nobody'}`;
}

/** As `kubectl rollout undo`: the template of the revision before the newest. */
async function undo(client: KubeClient, { namespace, name }: { namespace: string; name: string }): Promise<string> {
  const { metadata } = await client.get<Deployment>(refs.deployments, name, namespace);
  const { items } = await client.list<ReplicaSet>(refs.replicaSets, { namespace });
  const revision = (set: ReplicaSet): number => Number(set.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? '0');
  const [, before] = items.filter((set) => controllerOf(set)?.uid === metadata.uid).sort((a, b) => revision(b) - revision(a));
  if (!before) return 'nothing to undo';
  const { 'pod-template-hash': _hash, ...labels } = before.spec.template?.metadata?.labels ?? {};
  const template = { ...before.spec.template, metadata: { ...before.spec.template?.metadata, labels } };
  await client.patch(refs.deployments, name, { type: 'json', body: [{ op: 'replace', path: '/spec/template', value: template }] }, { namespace });
  return `back to ${before.metadata.name}`;
}

/** Somebody else writes the same objects all the time. */
async function storm(client: KubeClient, { namespace, name, times }: { namespace: string; name: string; times: number }, machines: Machines): Promise<string> {
  let written = 0;
  for (let i = 0; i < times; i++) {
    await machines.wait(stormPauseMs);
    const body = { metadata: { annotations: { storm: String(i) } } };
    const { items } = await client.list<ReplicaSet>(refs.replicaSets, { namespace });
    const sets = items.filter((set) => controllerOf(set)?.name === name);
    const writes = [client.patch(refs.deployments, name, { type: 'merge', body }, { namespace }), ...sets.map((set) => client.patch(refs.replicaSets, set.metadata.name ?? '', { type: 'merge', body }, { namespace }))];
    written += (await Promise.allSettled(writes)).filter(({ status }) => status === 'fulfilled').length;
  }
  return `${written} writes`;
}

async function onPod(client: KubeClient, operation: Operation & { do: 'delete-pod' | 'relabel-pod' }): Promise<string> {
  const { namespace, which } = operation;
  const { items } = await client.list<Pod>(refs.pods, { namespace });
  const name = items[which % items.length]?.metadata.name;
  if (name === undefined) return 'no pod';
  if (operation.do === 'delete-pod') await client.delete(refs.pods, name, { namespace, gracePeriodSeconds: operation.graceSeconds });
  else await client.patch(refs.pods, name, { type: 'merge', body: { metadata: { labels: { app: operation.app } } } }, { namespace });
  return name;
}

async function drain(client: KubeClient, node: string): Promise<string> {
  await client.patch(refs.nodes, node, { type: 'merge', body: { spec: { unschedulable: true } } });
  const { items } = await client.list<Pod>(refs.pods, { fieldSelector: `spec.nodeName=${node}` });
  const evictions = items.map(({ metadata: { name = '', namespace } }) =>
    client.create(refs.pods, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } } as unknown as Pod, { subresource: 'eviction', name, namespace }));
  const done = (await Promise.allSettled(evictions)).filter(({ status }) => status === 'fulfilled').length;
  return `${done} of ${items.length} pods evicted`;
}
