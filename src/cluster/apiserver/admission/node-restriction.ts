import { isDeepStrictEqual } from 'node:util';
import type { BoundObjectReference, Node, Pod } from '#api/kube/types.ts';
import { nodeOf } from '../authz/node.ts';
import type { Core } from '../core.ts';
import { forbidden } from '../status.ts';
import type { AdmissionRequest, AdmissionStep } from '../types.ts';

/** The agent of a node writes its own Node and lease, and what becomes of the pods on its node: nothing else. */
export function nodeRestriction(core: Core): AdmissionStep {
  const rules: Record<string, (request: AdmissionRequest, node: string) => void> = {
    nodes: restrictNode,
    pods: (request, node) => restrictPod(core, request, node),
    leases: restrictLease,
    serviceaccounts: (request, node) => restrictToken(core, request, node),
  };
  return {
    name: 'node-restriction',
    admit: (request) => {
      const node = nodeOf(request.context.user);
      const { plural } = request.resource;
      if (node !== undefined && Object.hasOwn(rules, plural)) rules[plural]?.(request, node);
    },
  };
}

/** Labels by which an administrator keeps work off nodes that are not trusted with it. */
const restrictedLabel = /^([^/]+\.)?node-restriction\.kubernetes\.io\//;

function restrictNode({ resource, name, object, old }: AdmissionRequest, node: string): void {
  if (name !== node) throw forbidden(resource, name, `node "${node}" is not allowed to modify node "${name}"`);
  if (!object) return;
  const before = (old?.metadata.labels ?? {}) as Record<string, string>;
  const after = (object.metadata.labels ?? {}) as Record<string, string>;
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => restrictedLabel.test(key) && before[key] !== after[key]);
  if (changed.length > 0) throw forbidden(resource, name, `node "${node}" is not allowed to modify labels: ${changed.sort().join(', ')}`);
  // Its own taints are what keeps pods off it: it says them once, when it joins.
  if (old && !isDeepStrictEqual((object as unknown as Node).spec.taints ?? [], (old as unknown as Node).spec.taints ?? [])) {
    throw forbidden(resource, name, `node "${node}" is not allowed to modify taints`);
  }
}

function restrictPod(core: Core, { operation, resource, subresource, namespace, name }: AdmissionRequest, node: string): void {
  if (operation === 'CREATE' && subresource === '') throw forbidden(resource, name, `pod does not belong to node "${node}", which can only create mirror pods`);
  const pod = core.objects.of(resource).get(namespace, name)?.object as unknown as Pod | undefined;
  if (!pod || pod.spec.nodeName === node) return;
  throw forbidden(resource, name, `node "${node}" can only write pods with spec.nodeName set to itself`);
}

function restrictLease({ resource, namespace, name }: AdmissionRequest, node: string): void {
  if (namespace === 'kube-node-lease' && name === node) return;
  throw forbidden(resource, name, `can only access node lease with the same name as the requesting node, in the "kube-node-lease" namespace`);
}

function restrictToken(core: Core, { resource, subresource, namespace, name, object }: AdmissionRequest, node: string): void {
  if (subresource !== 'token') return;
  const bound = (object?.['spec'] as { boundObjectRef?: BoundObjectReference } | undefined)?.boundObjectRef;
  if (bound?.kind !== 'Pod' || bound.name === undefined) throw forbidden(resource, name, 'node requested token not bound to a pod');
  const pods = core.objects.find(core.resources.find('', 'v1', 'pods'));
  const pod = pods?.get(namespace, bound.name)?.object as unknown as Pod | undefined;
  if (pod?.spec.nodeName === node) return;
  throw forbidden(resource, name, 'node requested token bound to a pod scheduled on a different node');
}
