import type { Endpoint, EndpointSlice, Service } from '#api/kube/types.ts';
import type { Answer } from '#lib/dns/message.ts';

/** What the server knows; names are looked up without regard to case. */
export interface DnsView {
  domain: string;
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  /** The Service and endpoint that have an address, for names of addresses. */
  byAddress(address: string): { service: Service; endpoint?: Endpoint } | undefined;
}

/** Seconds (what CoreDNS gives for cluster names). */
const ttl = 5;

/**
 * The answer to a question about a cluster name; undefined where the name is not the cluster's. An empty list says that the
 * name is there without records of that type; `null` that there is no such name. Source: Kubernetes DNS-based service
 * discovery, schema version 1.1.0.
 */
export function answerName(name: string, type: string, view: DnsView): Answer[] | null | undefined {
  const asked = name.toLowerCase().replace(/\.$/, '');
  if (asked.endsWith('.in-addr.arpa')) return answerPointer(asked, name, type, view);
  const suffix = `.${view.domain}`;
  if (asked === view.domain) return [];
  if (!asked.endsWith(suffix)) return undefined;
  const labels = asked.slice(0, -suffix.length).split('.');
  const kind = labels.at(-1);
  if (labels.length === 1) return kind === 'svc' || kind === 'pod' ? [] : null;
  if (kind === 'pod') return podAnswer(labels, name, type);
  if (kind !== 'svc') return null;
  return serviceAnswer(labels.slice(0, -1), name, type, view);
}

/** `a-b-c-d.namespace.pod.domain`. */
function podAnswer(labels: readonly string[], name: string, type: string): Answer[] | null {
  const match = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(labels.at(-3) ?? '');
  if (labels.length !== 3 || !match) return null;
  return type === 'A' ? [{ type: 'A', name, ttl, data: match.slice(1).join('.') }] : [];
}

/** `[_port._proto.][host.]service.namespace`. */
function serviceAnswer(labels: readonly string[], name: string, type: string, view: DnsView): Answer[] | null {
  const namespace = labels.at(-1) ?? '';
  const service = view.service(namespace, labels.at(-2) ?? '');
  if (!service) return null;
  const before = labels.slice(0, -2);
  if (service.spec?.type === 'ExternalName') return before.length === 0 ? [{ type: 'CNAME', name, ttl, data: service.spec.externalName ?? '' }] : null;
  const slices = view.slices(namespace, service.metadata?.name ?? '');
  if (before.length === 2 && before[0]?.startsWith('_') && before[1]?.startsWith('_')) return portAnswer(before, name, type, service, slices, view);
  if (before.length === 1) return hostAnswer(before[0] ?? '', name, type, service, slices);
  if (before.length > 1) return null;
  if (type === 'SRV') return portAnswer(undefined, name, type, service, slices, view);
  if (type !== 'A') return isHeadless(service) && readyEndpoints(service, slices).length === 0 ? null : [];
  if (!isHeadless(service)) return [{ type: 'A', name, ttl, data: service.spec?.clusterIP ?? '' }];
  const addresses = [...new Set(readyEndpoints(service, slices).flatMap((e) => e.addresses ?? []))];
  return addresses.length === 0 ? null : addresses.map((data) => ({ type: 'A', name, ttl, data }));
}

/** A pod of a headless Service, by its hostname (or its address with dashes). */
function hostAnswer(host: string, name: string, type: string, service: Service, slices: readonly EndpointSlice[]): Answer[] | null {
  if (!isHeadless(service)) return null;
  const found = readyEndpoints(service, slices).filter((e) => hostOf(e) === host);
  if (found.length === 0) return null;
  return type === 'A' ? found.flatMap((e) => e.addresses ?? []).map((data): Answer => ({ type: 'A', name, ttl, data })) : [];
}

function portAnswer(labels: readonly string[] | undefined, name: string, type: string, service: Service, slices: readonly EndpointSlice[], view: DnsView): Answer[] | null {
  const [port, protocol] = labels?.map((l) => l.slice(1)) ?? [];
  const full = `${service.metadata?.name}.${service.metadata?.namespace}.svc.${view.domain}`;
  const matches = (p: { name?: string; protocol?: string }): boolean => labels === undefined || (p.name === port && (p.protocol ?? 'TCP').toLowerCase() === protocol);
  const targets = isHeadless(service)
    ? slices.flatMap((s) => (s.ports ?? []).filter(matches).flatMap((p) => readyEndpoints(service, [s]).map((e) => ({ target: `${hostOf(e)}.${full}`, port: p.port ?? 0 }))))
    : (service.spec?.ports ?? []).filter(matches).map((p) => ({ target: full, port: p.port }));
  if (targets.length === 0) return labels === undefined ? [] : null;
  return type === 'SRV' ? targets.map((t): Answer => ({ type: 'SRV', name, ttl, data: { ...t, priority: 0, weight: Math.max(1, Math.floor(100 / targets.length)) } })) : [];
}

function answerPointer(asked: string, name: string, type: string, view: DnsView): Answer[] | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(asked);
  const found = match && view.byAddress([match[4], match[3], match[2], match[1]].join('.'));
  if (!found) return undefined;
  const { metadata } = found.service;
  const host = found.endpoint ? `${hostOf(found.endpoint)}.` : '';
  return type === 'PTR' ? [{ type: 'PTR', name, ttl, data: `${host}${metadata?.name}.${metadata?.namespace}.svc.${view.domain}` }] : [];
}

function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === 'None';
}

function readyEndpoints(service: Service, slices: readonly EndpointSlice[]): Endpoint[] {
  const all = slices.filter((s) => s.addressType === 'IPv4').flatMap((s) => s.endpoints ?? []);
  return service.spec?.publishNotReadyAddresses ? all : all.filter((e) => e.conditions?.ready !== false);
}

function hostOf(endpoint: Endpoint): string {
  return endpoint.hostname ?? (endpoint.addresses[0] ?? '').replaceAll('.', '-');
}
