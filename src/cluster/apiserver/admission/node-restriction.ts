import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, Node, Pod, TokenRequestSpec } from '#api/kube/types.ts';
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

/** Labels by which an administrator steers work to nodes that are trusted with it: a node gives itself none, but those that tell what it is. */
const ownLabel = /^(([^/]+\.)?(kubelet|node)\.kubernetes\.io\/|(beta\.)?kubernetes\.io\/(os|arch|hostname|instance-type)$|(topology|failure-domain\.beta)\.kubernetes\.io\/(zone|region)$)/;
const reservedLabel = /^([^/]+\.)?(kubernetes|k8s)\.io\//;
const isReserved = (key: string): boolean => reservedLabel.test(key) && !ownLabel.test(key);

function restrictNode({ resource, name, object, old }: AdmissionRequest, node: string): void {
  if (name !== node) throw forbidden(resource, name, `node "${node}" is not allowed to modify node "${name}"`);
  if (!object) return;
  const changed = changedLabels(object, old).filter(isReserved);
  if (changed.length > 0) throw forbidden(resource, name, `node "${node}" is not allowed to modify labels: ${changed.join(', ')}`);
  // The garbage collector deletes what has an owner that is gone: so it would rid itself of its taints.
  if (old && !isDeepStrictEqual(object.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? [])) {
    throw forbidden(resource, name, `node "${node}" is not allowed to modify ownerReferences`);
  }
  // Its own taints are what keeps pods off it: it says them once, when it joins.
  if (old && !isDeepStrictEqual((object as unknown as Node).spec.taints ?? [], (old as unknown as Node).spec.taints ?? [])) {
    throw forbidden(resource, name, `node "${node}" is not allowed to modify taints`);
  }
}

function changedLabels(object: KubeObject, old: KubeObject | undefined): string[] {
  const before: Record<string, string> = old?.metadata.labels ?? {};
  const after: Record<string, string> = object.metadata.labels ?? {};
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key]).sort();
}

function restrictPod(core: Core, { operation, resource, subresource, namespace, name, object, old }: AdmissionRequest, node: string): void {
  if (operation === 'CREATE' && subresource === '') throw forbidden(resource, name, `pod does not belong to node "${node}", which can only create mirror pods`);
  const pod = core.objects.of(resource).get(namespace, name)?.object as unknown as Pod | undefined;
  if (pod && pod.spec.nodeName !== node) throw forbidden(resource, name, `node "${node}" can only write pods with spec.nodeName set to itself`);
  // Labels make a pod one of a Service's, or take it from its owner.
  if (operation === 'UPDATE' && object && changedLabels(object, old).length > 0) throw forbidden(resource, name, `node "${node}" cannot update labels through pod status`);
}

function restrictLease({ resource, namespace, name }: AdmissionRequest, node: string): void {
  if (namespace === 'kube-node-lease' && name === node) return;
  throw forbidden(resource, name, `can only access node lease with the same name as the requesting node, in the "kube-node-lease" namespace`);
}

function restrictToken(core: Core, { resource, subresource, namespace, name, object }: AdmissionRequest, node: string): void {
  if (subresource !== 'token') return;
  const { boundObjectRef: bound, audiences = [] } = (object?.['spec'] ?? {}) as Partial<TokenRequestSpec>;
  if (bound?.kind !== 'Pod' || bound.name === undefined) throw forbidden(resource, name, 'node requested token not bound to a pod');
  if (!bound.uid) throw forbidden(resource, name, 'node requested token with a pod binding without a uid');
  const pods = core.objects.find(core.resources.find('', 'v1', 'pods'));
  const pod = pods?.get(namespace, bound.name)?.object as unknown as Pod | undefined;
  if (pod?.spec.nodeName !== node) throw forbidden(resource, name, 'node requested token bound to a pod scheduled on a different node');
  const tokens = (pod.spec.volumes ?? []).flatMap(({ projected }) => (projected?.sources ?? []).flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []));
  const foreign = audiences.find((audience) => !tokens.some((token) => token.audience === audience));
  if (foreign !== undefined) throw forbidden(resource, name, `audience "${foreign}" not found in pod spec volume, system:node:${node} is not authorized to request tokens for this audience`);
}
