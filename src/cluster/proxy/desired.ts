import { portNumberErrors } from '#api/kube/names.ts';
import type { Endpoint, EndpointSlice, Service, ServicePort } from '#api/kube/types.ts';
import { parseIpv4 } from '#lib/ipv4.ts';
import { proxyLimits, type Backend, type Frontend, type Protocol, type ProxyState } from './types.ts';

/** What Kubernetes means where a Service names no timeout: three hours. */
const defaultAffinitySeconds = 10_800;

/** The frontends of a Service on the node `node` (all endpoints are near where undefined). Headless and ExternalName Services have none. */
export function frontendsOf(service: Service, slices: readonly EndpointSlice[], node: string | undefined): Frontend[] {
  const { spec } = service;
  const clusterIp = spec?.clusterIP;
  if (!spec || !clusterIp || clusterIp === 'None' || spec.type === 'ExternalName') return [];
  const affinitySeconds = spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds) : 0;
  const balancers = spec.type === 'LoadBalancer' ? (service.status?.loadBalancer?.ingress ?? []) : [];
  const outside = [...(spec.externalIPs ?? []), ...balancers.flatMap(({ ip }) => ip ?? [])];
  return (spec.ports ?? []).flatMap((port) => {
    const all = backendsOf(slices, port, undefined);
    const here = backendsOf(slices, port, node);
    const inner = spec.internalTrafficPolicy === 'Local' ? here : all;
    const outer = spec.externalTrafficPolicy === 'Local' ? here : all;
    const common = { port: port.port, protocol: protocolOf(port.protocol), affinitySeconds };
    const frontends: Frontend[] = [{ ...common, address: clusterIp, backends: inner }];
    for (const address of outside) frontends.push({ ...common, address, outer: true, backends: outer });
    if (port.nodePort) frontends.push({ ...common, port: port.nodePort, backends: outer });
    return frontends.filter((f) => f.backends.length > 0 && (f.address === undefined || isIpv4(f.address)));
  });
}

/** Ready endpoints of a Service's port; where there is none, those that still serve while they end (a rollout of a single pod). */
function backendsOf(slices: readonly EndpointSlice[], port: ServicePort, node: string | undefined): Backend[] {
  const ready = matching(slices, port, node, (conditions) => conditions?.ready !== false);
  return ready.length > 0 ? ready : matching(slices, port, node, (conditions) => conditions?.serving === true && conditions.terminating === true);
}

/** What is said here becomes the rules' text: what they cannot hold (IPv6, among others) is left out, or no Service's would be applied. */
function isIpv4(text: string): boolean {
  return parseIpv4(text) !== undefined;
}

/** In a stable order; on one node where `node` is given. */
function matching(slices: readonly EndpointSlice[], port: ServicePort, node: string | undefined, usable: (conditions: Endpoint['conditions']) => boolean): Backend[] {
  const found = new Map<string, Backend>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    const ports = (slice.ports ?? []).filter((p) => (p.name ?? '') === (port.name ?? '') && protocolOf(p.protocol) === protocolOf(port.protocol));
    for (const { port: number } of ports) {
      for (const endpoint of slice.endpoints ?? []) {
        if (!usable(endpoint.conditions) || (node !== undefined && endpoint.nodeName !== node)) continue;
        const [address] = endpoint.addresses;
        if (address && isIpv4(address) && number && portNumberErrors(number).length === 0) found.set(`${address}:${number}`, { address, port: number });
      }
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, proxyLimits.backends).map(([, backend]) => backend);
}

function protocolOf(text: string | undefined): Protocol {
  const lower = (text ?? 'TCP').toLowerCase();
  return lower === 'udp' || lower === 'sctp' ? lower : 'tcp';
}

/** Marks of picks begin here, so that they are told from other marks of the host. */
export const firstMark = 0x67000000;

export function stateOf(frontends: readonly Frontend[]): ProxyState {
  const services = new Map<string, string>();
  const nodePorts = new Map<string, string>();
  const backends = new Map<string, string>();
  const nodeBackends = new Map<string, string>();
  const remembered = new Map<string, string>();
  const nodeRemembered = new Map<string, string>();
  const itself = new Set<string>();
  // an address that somebody names for outside leads nobody away from the Service whose own it is
  const ownFirst = [...frontends.filter(({ outer }) => !outer), ...frontends.filter(({ outer }) => outer)];
  for (const frontend of ownFirst) {
    const { address, port, protocol } = frontend;
    const key = address === undefined ? `${protocol} . ${port}` : `${address} . ${protocol} . ${port}`;
    if ((address === undefined ? nodePorts : services).has(key)) continue;
    const chain = `${address === undefined ? 'node_' : ''}${frontend.affinitySeconds > 0 ? 'sticky' : 'pick'}_${frontend.backends.length}`;
    (address === undefined ? nodePorts : services).set(key, chain);
    if (frontend.affinitySeconds > 0) (address === undefined ? nodeRemembered : remembered).set(key, `remember_${frontend.affinitySeconds}`);
    frontend.backends.forEach((backend, i) => {
      (address === undefined ? nodeBackends : backends).set(`${key} . ${firstMark + i}`, `${backend.address} . ${backend.port}`);
      itself.add(`${backend.address} . ${backend.address}`);
    });
  }
  return { services, nodePorts, backends, nodeBackends, remembered, nodeRemembered, itself };
}

export const emptyState: ProxyState = stateOf([]);
