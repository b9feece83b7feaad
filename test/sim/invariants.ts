/** What must hold once nothing goes wrong any more and there was time: read from the store itself, whoever wrote it. */
import { matchesLabels } from '#api/kube/labels.ts';
import type { ConfigMap, Deployment, EndpointSlice, Endpoints, KubeObject, Node, Pod, ReplicaSet, ReplicationController, Service } from '#api/kube/types.ts';
import { wantedOf } from '#cluster/controllers/deployment/numbers.ts';
import { hasTemplate } from '#cluster/controllers/deployment/template.ts';
import type { Replicated } from '#cluster/controllers/replicaset/kinds.ts';
import { replicaSetKind, replicationControllerKind } from '#cluster/controllers/replicaset/kinds.ts';
import { conditionOf } from '#cluster/machinery/conditions.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { isActivePod, isReadyPod } from '#cluster/machinery/pods.ts';
import type { Store } from '#core/store/types.ts';
import { lastKey } from '#core/store/types.ts';
import { brokenImage } from './node.ts';

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const allocated = '/allocated/service-addresses/';
const allocatedPorts = '/allocated/node-ports/';

export class Facts {
  readonly keys: string[];
  readonly objects: { key: string; folder: string; object: KubeObject }[];
  readonly uids: Set<string>;

  constructor(entries: readonly { key: string; value: Uint8Array }[]) {
    this.keys = entries.map(({ key }) => key);
    this.objects = entries.filter(({ key }) => key.startsWith('/registry/')).map(({ key, value }) => ({ key, folder: key.split('/')[2] ?? '', object: JSON.parse(Buffer.from(value).toString()) as KubeObject }));
    this.uids = new Set(this.objects.map(({ object }) => object.metadata.uid ?? ''));
  }

  of<T>(folder: string): T[] {
    return this.objects.filter((one) => one.folder === folder).map(({ object }) => object as T);
  }
}

export async function readFacts(store: Store): Promise<Facts> {
  return new Facts((await store.range('\0', lastKey)).entries);
}

/** What is not as it should be; nothing where all is. @param machines names of the nodes that are there */
export function unsettled(facts: Facts, machines: readonly string[]): string[] {
  const pods = facts.of<Pod>('pods');
  const sets = facts.of<ReplicaSet>('replicasets.apps');
  const replicated = [...sets.map((set) => replicaSetKind.read(set)), ...facts.of<ReplicationController>('replicationcontrollers').map((one) => replicationControllerKind.read(one))];
  return [
    ...facts.of<Deployment>('deployments.apps').flatMap((deployment) => ofDeployment(deployment, sets)),
    ...replicated.flatMap((set) => ofReplicas(set, pods)),
    ...pods.flatMap((pod) => ofPod(pod, machines)),
    ...ofServices(facts, pods),
    ...ofAll(facts),
    ...ofNodes(facts, machines),
    ...ofNamespaces(facts),
  ];
}

const named = ({ kind, metadata: { namespace, name } }: { kind: string; metadata: { namespace?: string; name?: string } }): string => `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
const revisionOf = ({ metadata }: { metadata: KubeObject['metadata'] }): number => Number(metadata.annotations?.[revisionAnnotation] ?? '0');
const differs = (what: string, actual: unknown, wanted: unknown): string[] => (actual === wanted ? [] : [`${what} is ${String(actual)}, not ${String(wanted)}`]);

function ofDeployment(deployment: Deployment, sets: readonly ReplicaSet[]): string[] {
  const { status = {}, metadata } = deployment;
  const name = named(deployment);
  const wanted = wantedOf(deployment);
  const own = sets.filter((set) => controllerOf(set)?.uid === metadata.uid);
  const present = own.filter((set) => hasTemplate(set, deployment.spec.template));
  const old = own.filter((set) => !present.includes(set));
  const counts = (['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas'] as const).flatMap((count) => differs(`${name}: ${count}`, status[count] ?? 0, wanted));
  return [
    ...counts,
    ...differs(`${name}: unavailableReplicas`, status.unavailableReplicas ?? 0, 0),
    ...differs(`${name}: observedGeneration`, status.observedGeneration, metadata.generation),
    ...differs(`${name}: Available`, conditionOf(status.conditions, 'Available')?.status, 'True'),
    ...differs(`${name}: Progressing`, conditionOf(status.conditions, 'Progressing')?.reason, 'NewReplicaSetAvailable'),
    ...differs(`${name}: ReplicaFailure`, conditionOf(status.conditions, 'ReplicaFailure')?.message, undefined),
    ...differs(`${name}: replica sets with its template`, present.length, 1),
    ...present.flatMap((set) => differs(`${named(set)}: size`, set.spec.replicas, wanted)),
    ...old.flatMap((set) => differs(`${named(set)}: size of an old set`, set.spec.replicas, 0)),
    ...(old.length > (deployment.spec.revisionHistoryLimit ?? 10) ? [`${name} keeps ${old.length} old sets`] : []),
    ...present.flatMap((set) => differs(`${name}: revision`, revisionOf(deployment), revisionOf(set))),
    ...old.filter((set) => revisionOf(set) >= revisionOf(deployment)).map((set) => `${named(set)} is old and has revision ${revisionOf(set)} of ${revisionOf(deployment)}`),
  ];
}

function ofReplicas(set: Replicated, pods: readonly Pod[]): string[] {
  const name = named(set);
  const matches = (pod: Pod): boolean => pod.metadata.namespace === set.metadata.namespace && set.selector !== undefined && matchesLabels(set.selector, pod.metadata.labels);
  const owned = pods.filter((pod) => controllerOf(pod)?.uid === set.metadata.uid && isActivePod(pod));
  const matching = owned.filter(matches);
  const well = matching.filter((pod) => pod.spec.containers[0]?.image !== brokenImage).length;
  const { status } = set;
  return [
    ...differs(`${name}: pods`, matching.length, set.spec.replicas),
    ...differs(`${name}: status.replicas`, status.replicas, set.spec.replicas),
    ...differs(`${name}: readyReplicas`, status.readyReplicas ?? 0, well),
    ...differs(`${name}: availableReplicas`, status.availableReplicas ?? 0, well),
    ...differs(`${name}: observedGeneration`, status.observedGeneration, set.metadata.generation),
    ...differs(`${name}: ReplicaFailure`, conditionOf(status.conditions, 'ReplicaFailure')?.message, undefined),
    ...owned.filter((pod) => !matches(pod)).map((pod) => `${named(pod)} does not match ${name}, which controls it`),
    ...pods.filter((pod) => isActivePod(pod) && matches(pod) && controllerOf(pod) === undefined).map((pod) => `${named(pod)} matches ${name} and nothing controls it`),
  ];
}

function ofPod(pod: Pod, machines: readonly string[]): string[] {
  const name = named(pod);
  const node = pod.spec.nodeName ?? '';
  if (node !== '' && !machines.includes(node)) return [`${name} is on ${node}, which does not exist`];
  if (!isActivePod(pod)) return [];
  if (node === '') return [`${name} has no node`];
  return differs(`${name}: ready`, isReadyPod(pod), pod.spec.containers[0]?.image !== brokenImage);
}

function ofServices(facts: Facts, pods: readonly Pod[]): string[] {
  const services = facts.of<Service>('services');
  const slices = facts.of<EndpointSlice>('endpointslices.discovery.k8s.io');
  const endpoints = facts.of<Endpoints>('endpoints');
  const problems: string[] = [];
  for (const service of services.filter(({ spec }) => spec.selector !== undefined)) {
    const { namespace, name, uid } = service.metadata;
    const behind = pods.filter((pod) => pod.metadata.namespace === namespace && isActivePod(pod) && isReadyPod(pod) && Object.entries(service.spec.selector ?? {}).every(([label, value]) => pod.metadata.labels?.[label] === value));
    const wanted = behind.map((pod) => `${pod.metadata.name}=${pod.status?.podIP}`).sort().join();
    const own = slices.filter(({ metadata }) => metadata.namespace === namespace && metadata.labels?.['kubernetes.io/service-name'] === name);
    const ready = own.flatMap((slice) => slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready);
    problems.push(...differs(`${named(service)}: ready in slices`, ready.map(({ targetRef, addresses }) => `${targetRef?.name}=${addresses.join()}`).sort().join(), wanted));
    problems.push(...own.filter((slice) => controllerOf(slice)?.uid !== uid).map((slice) => `${named(slice)} is of another ${named(service)}`));
    const old = endpoints.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
    const addresses = (old?.subsets ?? []).flatMap((subset) => subset.addresses ?? []);
    problems.push(...differs(`${named(service)}: endpoints`, addresses.map(({ ip, targetRef }) => `${targetRef?.name}=${ip}`).sort().join(), wanted));
  }
  const exists = (namespace: string | undefined, name: string | undefined): boolean => services.some(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  problems.push(...slices.filter(({ metadata }) => !exists(metadata.namespace, metadata.labels?.['kubernetes.io/service-name'])).map((slice) => `${named(slice)} has no service`));
  problems.push(...endpoints.filter(({ metadata }) => !exists(metadata.namespace, metadata.name)).map((one) => `${named(one)} have no service`));
  const taken = facts.keys.filter((key) => key.startsWith(allocated)).map((key) => key.slice(allocated.length)).sort().join();
  problems.push(...differs('addresses taken', taken, services.flatMap(({ spec }) => spec.clusterIPs ?? []).filter((ip) => ip !== 'None').sort().join()));
  const ports = facts.keys.filter((key) => key.startsWith(allocatedPorts)).map((key) => key.slice(allocatedPorts.length)).sort().join();
  const used = services.flatMap(({ spec }) => spec.ports ?? []).flatMap(({ protocol, nodePort }) => (nodePort === undefined ? [] : [`${protocol}/${nodePort}`]));
  problems.push(...differs('node ports taken', ports, used.sort().join()));
  return problems;
}

function ofAll({ objects, uids }: Facts): string[] {
  const namespaces = new Set(objects.filter(({ folder }) => folder === 'namespaces').map(({ object }) => object.metadata.name));
  return objects.flatMap(({ object }) => {
    const { deletionTimestamp, namespace, ownerReferences = [] } = object.metadata;
    return [
      ...(deletionTimestamp === undefined ? [] : [`${named(object)} is still being deleted`]),
      ...(namespace === undefined || namespaces.has(namespace) ? [] : [`${named(object)} is in a namespace that does not exist`]),
      ...ownerReferences.filter(({ uid }) => !uids.has(uid)).map((owner) => `${named(object)} outlived its owner ${owner.kind} ${owner.name}`),
    ];
  });
}

function ofNodes(facts: Facts, machines: readonly string[]): string[] {
  const nodes = facts.of<Node>('nodes');
  return [
    ...differs('nodes', nodes.map(({ metadata }) => metadata.name ?? '').sort().join(), [...machines].sort().join()),
    ...nodes.flatMap((node) => differs(`${named(node)}: ready`, conditionOf(node.status?.conditions, 'Ready')?.status, 'True')),
    ...nodes.flatMap((node) => differs(`${named(node)}: taints`, (node.spec.taints ?? []).map(({ key }) => key).join(), '')),
  ];
}

function ofNamespaces(facts: Facts): string[] {
  const accounts = facts.of<KubeObject>('serviceaccounts');
  const configMaps = facts.of<ConfigMap>('configmaps');
  return facts.of<KubeObject>('namespaces').flatMap(({ metadata: { name } }) => [
    ...(accounts.some(({ metadata }) => metadata.namespace === name && metadata.name === 'default') ? [] : [`namespace ${name} has no default service account`]),
    ...(configMaps.some(({ metadata }) => metadata.namespace === name && metadata.name === 'kube-root-ca.crt') ? [] : [`namespace ${name} has no kube-root-ca.crt`]),
  ]);
}
