/** What stands behind a service: its pods, where they listen, and in which state they are. */
import { isIPv6 } from 'node:net';
import { matchesLabels, selectorOfMap } from '#api/kube/labels.ts';
import type { Container, ObjectReference, Pod, Service } from '#api/kube/types.ts';
import { pods as podsRef, services as servicesRef } from '#client/kube/resources.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { isFinishedPod, isReadyPod } from '#cluster/machinery/pods.ts';
import type { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Informer, Informers } from '#cluster/machinery/types.ts';
import { keyOf } from '#cluster/machinery/types.ts';

export const headlessLabel = 'service.kubernetes.io/headless';

const byNamespace = 'namespace';

export interface BackendPort {
  name: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

/** A pod behind a service. */
export interface Backend {
  /** Of each family that it has. */
  ips: readonly string[];
  /** Those of the service's ports that the pod has. */
  ports: readonly BackendPort[];
  /** Answers requests. */
  serving: boolean;
  terminating: boolean;
  hostname?: string;
  nodeName?: string;
  target: ObjectReference;
}

export interface ServicePods {
  services: Informer<Service>;
  pods: Informer<Pod>;
}

/** Puts the key of a service in the queue whenever it, or a pod behind it, changes. */
export function followServices(informers: Informers, queue: WorkQueue): ServicePods {
  const services = informers.of<Service>(servicesRef);
  const pods = informers.of<Pod>(podsRef);
  services.addIndex(byNamespace, ({ metadata }) => [metadata.namespace ?? '']);
  pods.addIndex(byNamespace, ({ metadata }) => [metadata.namespace ?? '']);
  services.onChange(({ object }) => queue.add(keyOf(object)));
  pods.onChange(({ object, old }) => {
    if (old && sameJson(facts(old), facts(object))) return;
    for (const service of services.byIndex(byNamespace, object.metadata.namespace ?? '')) {
      if (selects(service, object) || (old && selects(service, old))) queue.add(keyOf(service));
    }
  });
  return { services, pods };
}

/** What of a pod shows in endpoints. */
function facts({ metadata, spec, status }: Pod): unknown {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return [metadata.labels, metadata.deletionTimestamp, spec.nodeName, spec.hostname, spec.subdomain, status?.phase, status?.podIP, status?.podIPs, ready];
}

/** Whether a service's endpoints are made by these controllers: others write those without a selector themselves. */
export function isManaged({ spec }: Service): boolean {
  return spec.selector !== undefined && spec.type !== 'ExternalName';
}

function selects(service: Service, { metadata }: Pod): boolean {
  return isManaged(service) && matchesLabels(selectorOfMap(service.spec.selector), metadata.labels);
}

export function isHeadless({ spec }: Service): boolean {
  return spec.clusterIP === 'None';
}

/** The backends of a service, by name. Pods that have ended, or have no address yet, are none. */
export function backendsOf(service: Service, { pods }: ServicePods): Backend[] {
  return pods
    .byIndex(byNamespace, service.metadata.namespace ?? '')
    .filter((pod) => selects(service, pod) && !isFinishedPod(pod) && (pod.status?.podIP ?? '') !== '')
    .map((pod) => backendOf(service, pod))
    .sort((a, b) => ((a.target.name ?? '') < (b.target.name ?? '') ? -1 : 1));
}

export function backendOf(service: Service, pod: Pod): Backend {
  const { name = '', namespace = '', uid, deletionTimestamp } = pod.metadata;
  const { hostname = '', subdomain = '', nodeName = '' } = pod.spec;
  const { podIP = '', podIPs = [] } = pod.status ?? {};
  const named = hostname !== '' && subdomain === service.metadata.name;
  return {
    ips: podIPs.length > 0 ? podIPs.map(({ ip }) => ip ?? '') : [podIP],
    ports: portsOf(service, pod),
    serving: isReadyPod(pod),
    terminating: deletionTimestamp !== undefined,
    ...(named && { hostname }),
    ...(nodeName !== '' && { nodeName }),
    target: { kind: 'Pod', namespace, name, uid },
  };
}

export function ipOfFamily({ ips }: Backend, family: string): string | undefined {
  return ips.find((ip) => isIPv6(ip) === (family === 'IPv6'));
}

/** Those of the service's ports whose target the pod has; a named target is looked up in its containers. */
function portsOf({ spec }: Service, pod: Pod): BackendPort[] {
  const found: BackendPort[] = [];
  for (const { name = '', port, targetPort = port, protocol = 'TCP', appProtocol } of spec.ports ?? []) {
    const number = typeof targetPort === 'number' ? targetPort : namedPort(pod, targetPort, protocol);
    if (number !== undefined) found.push({ name, port: number, protocol, ...(appProtocol !== undefined && { appProtocol }) });
  }
  return found;
}

function namedPort({ spec }: Pod, name: string, protocol: string): number | undefined {
  const restarted = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const all: readonly Container[] = [...spec.containers, ...restarted];
  return all.flatMap(({ ports = [] }) => ports).find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}
