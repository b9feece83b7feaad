/**
 * What the agent of a node may read: the pods on its node, and beyond its role the secrets and config maps that they name,
 * and tokens of the service accounts that they run as. So a node that is taken over betrays no more than its own pods.
 */
import { everyContainer } from '#api/kube/pods.ts';
import type { Pod, Volume } from '#api/kube/types.ts';
import type { ObjectsTable } from '../core.ts';
import { valueSelected } from '../http/request-info.ts';
import type { ResourceTable } from '../resource-table.ts';
import type { Attributes, Authorizer, Decision, ResourceAttributes, User } from '../types.ts';

const group = 'system:nodes';
const prefix = 'system:node:';
const readVerbs = ['get', 'list', 'watch'];

/** The name of the node whose agent the user is. */
export function nodeOf({ name, groups }: User): string | undefined {
  return groups.includes(group) && name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

type PodTest = (pod: Pod, name: string) => boolean;

const tests: Record<string, PodTest> = {
  'secrets get': (pod, name) => secretsOf(pod).has(name),
  'configmaps get': (pod, name) => configMapsOf(pod).has(name),
  'persistentvolumeclaims get': (pod, name) => (pod.spec.volumes ?? []).some((volume) => volume.persistentVolumeClaim?.claimName === name),
  'serviceaccounts get': (pod, name) => pod.spec.serviceAccountName === name,
  'serviceaccounts/token create': (pod, name) => pod.spec.serviceAccountName === name,
};

/** Answers for the agents of nodes where that is told by their pods, and asks `next` for all else. */
export class NodeAuthorizer implements Authorizer {
  readonly #next: Authorizer;
  readonly #podsOn: (node: string, namespace: string) => Pod[];

  constructor(next: Authorizer, objects: ObjectsTable, resources: ResourceTable) {
    this.#next = next;
    const pods = objects.find(resources.find('', 'v1', 'pods'));
    this.#podsOn = (node, namespace) =>
      (pods?.cache.find('spec.nodeName', node, pods.prefix(namespace)) ?? []).map(({ object }) => object as unknown as Pod);
  }

  authorize(request: Attributes): Decision {
    const { user, verb, resource } = request;
    const node = nodeOf(user);
    if (node === undefined || resource?.group !== '') return this.#next.authorize(request);
    if (resource.resource === 'pods' && resource.subresource === '' && readVerbs.includes(verb)) return this.#readsPods(node, request, resource);
    if (resource.name === '' || resource.namespace === '') return this.#next.authorize(request);
    const subject = resource.subresource === '' ? resource.resource : `${resource.resource}/${resource.subresource}`;
    const key = `${subject} ${readVerbs.includes(verb) ? 'get' : verb}`;
    const test = Object.hasOwn(tests, key) ? tests[key] : undefined;
    if (!test) return this.#next.authorize(request);
    if (this.#podsOn(node, resource.namespace).some((pod) => test(pod, resource.name))) return { allowed: true, reason: '' };
    const otherwise = this.#next.authorize(request);
    return otherwise.allowed ? otherwise : unrelated(node);
  }

  /** Its role lets a node read pods; which ones, is told here. */
  #readsPods(node: string, request: Attributes, { namespace, name, fieldSelector = '' }: ResourceAttributes): Decision {
    if (valueSelected(fieldSelector, 'spec.nodeName') === node) return this.#next.authorize(request);
    if (name === '' || namespace === '') return { allowed: false, reason: 'can only list/watch pods with spec.nodeName field selector' };
    return this.#podsOn(node, namespace).some((pod) => pod.metadata.name === name) ? this.#next.authorize(request) : unrelated(node);
  }
}

function unrelated(node: string): Decision {
  return { allowed: false, reason: `no relationship found between node '${node}' and this object` };
}

function names(values: readonly (string | undefined)[]): Set<string> {
  return new Set(values.filter((value) => value !== undefined));
}

function secretsOf(pod: Pod): Set<string> {
  const containers = everyContainer(pod.spec);
  return names([
    ...(pod.spec.imagePullSecrets ?? []).map(({ name }) => name),
    ...containers.flatMap(({ env = [] }) => env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name)),
    ...containers.flatMap(({ envFrom = [] }) => envFrom.map(({ secretRef }) => secretRef?.name)),
    ...(pod.spec.volumes ?? []).flatMap(volumeSecrets),
  ]);
}

function volumeSecrets({ secret, projected, csi }: Volume): (string | undefined)[] {
  return [secret?.secretName, csi?.nodePublishSecretRef?.name, ...(projected?.sources ?? []).map((source) => source.secret?.name)];
}

function configMapsOf(pod: Pod): Set<string> {
  const containers = everyContainer(pod.spec);
  return names([
    ...containers.flatMap(({ env = [] }) => env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name)),
    ...containers.flatMap(({ envFrom = [] }) => envFrom.map(({ configMapRef }) => configMapRef?.name)),
    ...(pod.spec.volumes ?? []).flatMap(({ configMap, projected }) => [configMap?.name, ...(projected?.sources ?? []).map((source) => source.configMap?.name)]),
  ]);
}
