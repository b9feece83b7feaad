import { isIPv6 } from 'node:net';
import type { KubeObject } from '#api/kube/types.ts';
import { every } from '#lib/clock.ts';
import type { Core } from '../core.ts';
import type { Address } from '../http/door.ts';
import { create } from '../verbs/create.ts';
import { update } from '../verbs/update.ts';
import { serverContext } from './objects.ts';
import { copyOf } from '../storage/object.ts';

/** How often it is looked whether somebody deleted it, in milliseconds. */
const lookMs = 10_000;

/** Publishes the Service `kubernetes`, then makes it again whenever it is gone, until `signal`. Rejects where the first try fails. */
export async function keepKubernetesService(core: Core, clusterIP: string, address: Address, signal: AbortSignal): Promise<void> {
  await publishKubernetesService(core, clusterIP, address);
  const timer = every(core.clock, lookMs, async () => {
    if (parts.every(({ group, plural }) => isThere(core, group, plural))) return;
    await publishKubernetesService(core, clusterIP, address).catch((error: unknown) => core.log.warn('the Service kubernetes was deleted and could not be made again; trying again', { error }));
  });
  signal.addEventListener('abort', () => timer.cancel(), { once: true });
}

const parts = [{ group: '', plural: 'services' }, { group: '', plural: 'endpoints' }, { group: 'discovery.k8s.io', plural: 'endpointslices' }];

function isThere(core: Core, group: string, plural: string): boolean {
  const resource = core.resources.find(group, 'v1', plural);
  return !resource || core.objects.of(resource).get('default', 'kubernetes') !== undefined;
}

/** The Service `kubernetes` and what is behind it: where pods find this server. */
async function publishKubernetesService(core: Core, clusterIP: string, { host, port }: Address): Promise<void> {
  const metadata = { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } };
  const service = keep(core, { group: '', plural: 'services' }, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
    },
  });
  const endpoints = keep(core, { group: '', plural: 'endpoints' }, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: host }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  });
  const slice = keep(core, { group: 'discovery.k8s.io', plural: 'endpointslices' }, {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: isIPv6(host) ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  });
  await Promise.all([service, endpoints, slice]);
}

/** Makes the object, or gives the present one these fields. */
async function keep(core: Core, { group, plural }: { group: string; plural: string }, object: KubeObject): Promise<void> {
  const resource = core.resources.find(group, 'v1', plural);
  if (!resource) return;
  const target = { resource, namespace: 'default', name: object.metadata.name ?? '' };
  if (!core.objects.of(resource).get(target.namespace, target.name)) {
    await create(core, { ...target, name: '' }, object, serverContext());
    return;
  }
  const { metadata: _, ...wanted } = object;
  await update(core, target, (old) => ({ ...copyOf(old), ...wanted, metadata: { ...old.metadata } }), serverContext(), { retry: true });
}
