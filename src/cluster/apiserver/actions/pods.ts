/** What is done to pods: they are bound to a node, and evicted from it. */
import type { Binding, DeleteOptions, Pod, PodCondition } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { must } from '#lib/assert.ts';
import type { Core } from '../core.ts';
import { badRequest, conflict, invalidObject } from '../status.ts';
import type { Context, Target } from '../types.ts';
import { remove } from '../verbs/delete.ts';
import { matchTarget } from '../verbs/metadata.ts';
import { mutate } from '../verbs/mutate.ts';
import type { Action, ActionRequest } from './types.ts';

export const podActions: readonly Action[] = [
  { group: '', resource: 'pods', subresource: 'binding', run: (request) => bind(request, request.target.name) },
  { group: '', resource: 'bindings', subresource: '', run: (request) => bind(request, request.object.metadata.name ?? '') },
  { group: '', resource: 'pods', subresource: 'eviction', run: evict },
];

type Result = Awaited<ReturnType<Action['run']>>;

const success: Result = { code: 201, object: { kind: 'Status', apiVersion: 'v1', ...{ metadata: {}, status: 'Success', code: 201 } } };

async function bind({ server, target, object, context }: ActionRequest, name: string): Promise<Result> {
  const binding = object as unknown as Binding;
  matchTarget(object, target.namespace, name);
  const node = binding.target?.name ?? '';
  if (node === '') {
    throw invalidObject(target.resource, name, [{ type: 'Required', path: 'target.name', detail: '' }]);
  }
  const { kind = '' } = binding.target;
  if (kind !== '' && kind !== 'Node') throw badRequest(`target.kind: Unsupported value: "${kind}": supported values: "Node", "<empty>"`);
  const pods = podTarget(server.core, target.namespace, name);
  const now = isoSeconds(server.core.clock.now());
  await mutate(server.core, pods, (changed) => {
    const pod = changed as unknown as Pod;
    refuseBinding(pods, binding, pod);
    pod.spec.nodeName = node;
    pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations };
    pod.metadata.labels = { ...pod.metadata.labels, ...binding.metadata.labels };
    if (Object.keys(pod.metadata.annotations).length === 0) delete pod.metadata.annotations;
    if (Object.keys(pod.metadata.labels).length === 0) delete pod.metadata.labels;
    setCondition(pod, { type: 'PodScheduled', status: 'True', lastTransitionTime: now });
  }, context);
  return success;
}

function refuseBinding({ resource, name }: Target, { metadata: { uid, resourceVersion } }: Binding, pod: Pod): void {
  if (uid !== undefined && uid !== pod.metadata.uid) {
    throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== pod.metadata.resourceVersion) throw conflict(resource, name);
  if (pod.metadata.deletionTimestamp !== undefined) throw conflict(resource, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if ((pod.spec.nodeName ?? '') !== '') throw conflict(resource, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  if ((pod.spec.schedulingGates ?? []).length > 0) throw conflict(resource, name, `pod ${name} has non-empty .spec.schedulingGates`);
}

async function evict({ server, target, object, context }: ActionRequest): Promise<Result> {
  matchTarget(object, target.namespace, target.name);
  const options = (object['deleteOptions'] ?? {}) as DeleteOptions;
  const effective: Context = options.dryRun?.includes('All') ? { ...context, dryRun: true } : context;
  const pods = podTarget(server.core, target.namespace, target.name);
  const now = isoSeconds(server.core.clock.now());
  const condition = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting', lastTransitionTime: now };
  await mutate(server.core, pods, (pod) => setCondition(pod as unknown as Pod, condition), effective);
  await remove(server.core, pods, options, effective);
  return success;
}

function podTarget(core: Core, namespace: string, name: string): Target {
  return { resource: must(core.resources.find('', 'v1', 'pods'), 'the pods resource'), namespace, name };
}

function setCondition(pod: Pod, condition: PodCondition): void {
  pod.status ??= {};
  const others = (pod.status.conditions ?? []).filter(({ type }) => type !== condition.type);
  pod.status.conditions = [...others, condition];
}
