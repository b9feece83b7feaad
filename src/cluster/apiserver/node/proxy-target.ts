/** What a proxy's path names: `[scheme:]name[:port]` of a pod or a Service, and where the request goes then. */
import type { Endpoint, EndpointSlice, Pod, Service } from '#api/kube/types.ts';
import { portNumberErrors } from '#api/kube/names.ts';
import { validateAddress } from '#cluster/resources/core/endpoints.ts';
import type { Core } from '../core.ts';
import { badRequest, notFound, statusFault } from '../status.ts';
import type { Target } from '../types.ts';
import type { PodPort } from './dial.ts';
import { podOf } from './target.ts';

export interface Named {
  secure: boolean;
  name: string;
  /** A number or a port's name; empty where the default is meant. */
  port: string;
}

/** Where bytes go: a port of a pod on a node, or an address outside of all pods. */
export type Destination = { secure: boolean } & ({ node: string; pod: PodPort } | { address: string; port: number });

/** Throws `invalid` where it is no such name. */
export function splitName(text: string, what: string): Named {
  const parts = text.split(':');
  const [scheme, name, port] = parts.length === 3 ? parts : ['', parts[0] ?? '', parts[1] ?? ''];
  if (parts.length > 3 || !name || !['', 'http', 'https'].includes(scheme ?? '')) throw badRequest(`invalid ${what} request ${JSON.stringify(text)}`);
  return { secure: scheme === 'https', name, port: port ?? '' };
}

/** Without a port the first one that the pod declares, else the scheme's own. */
export function destinationOfPod(core: Core, target: Target): Destination {
  const { secure, name, port } = splitName(target.name, 'pod');
  const pod = podOf(core, { ...target, name });
  const declared = pod.spec.containers.flatMap(({ ports = [] }) => ports)[0]?.containerPort;
  const number = port === '' ? (declared ?? (secure ? 443 : 80)) : portNumber(port, target.name);
  return { secure, ...ofPod(pod, number) };
}

function ofPod(pod: Pod, port: number): { node: string; pod: PodPort } {
  const { name = '', namespace = '' } = pod.metadata;
  const node = pod.spec.nodeName ?? '';
  if (node === '' || (pod.status?.podIP ?? '') === '') throw badRequest(`pod ${name} has no address yet`);
  return { node, pod: { namespace, pod: name, port } };
}

function portNumber(text: string, of: string): number {
  const [wrong] = /^\d+$/.test(text) ? portNumberErrors(Number(text)) : ['must be a number'];
  if (wrong !== undefined) throw badRequest(`invalid port ${JSON.stringify(text)} of ${of}: ${wrong}`);
  return Number(text);
}

/** One of the Service's ready endpoints, by chance. */
export function destinationOfService(core: Core, target: Target): Destination {
  const { secure, name, port } = splitName(target.name, 'service');
  const found = core.objects.of(target.resource).get(target.namespace, name);
  if (!found) throw notFound(target.resource, name);
  const wanted = portName(found.object as unknown as Service, port);
  const all = endpointsOf(core, target.namespace, name, wanted);
  const chosen = all[core.random.int(Math.max(1, all.length))];
  if (!chosen) throw statusFault('unavailable', `no endpoints available for service ${JSON.stringify(name)}`);
  const { endpoint, port: number } = chosen;
  const { kind, name: podName = '', namespace = target.namespace } = endpoint.targetRef ?? {};
  if (kind !== 'Pod') return { secure, address: outside(endpoint.addresses[0] ?? ''), port: number };
  const pods = core.resources.find('', 'v1', 'pods');
  const pod = core.objects.find(pods)?.get(namespace, podName)?.object as unknown as Pod | undefined;
  if (!pod) throw statusFault('unavailable', `no endpoints available for service ${JSON.stringify(name)}`);
  return { secure, ...ofPod(pod, number) };
}

/** An address that whoever writes endpoints may send this server to: never this machine itself. */
function outside(address: string): string {
  if (validateAddress(address, 'address').length > 0) throw badRequest('address not allowed');
  return address;
}

/** The name of the Service's port, which a number stands for as well. */
function portName({ spec, metadata }: Service, port: string): string {
  if (!/^\d+$/.test(port)) return port;
  const named = (spec.ports ?? []).find((candidate) => candidate.port === Number(port));
  if (!named) throw statusFault('unavailable', `no service port ${port} found for service ${JSON.stringify(metadata.name)}`);
  return named.name ?? '';
}

function endpointsOf(core: Core, namespace: string, service: string, port: string): { endpoint: Endpoint; port: number }[] {
  const slices = core.objects.find(core.resources.find('discovery.k8s.io', 'v1', 'endpointslices'));
  const own = slices ? [...slices.cache.scan(slices.prefix(namespace))].map(({ object }) => object as unknown as EndpointSlice) : [];
  const addressed = own.filter(({ addressType }) => addressType !== 'FQDN');
  return addressed.filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service).flatMap(({ ports = [], endpoints = [] }) => {
    const number = ports.find(({ name = '' }) => name === port)?.port;
    return number === undefined ? [] : endpoints.filter(({ conditions }) => conditions?.ready !== false).map((endpoint) => ({ endpoint, port: number }));
  });
}
