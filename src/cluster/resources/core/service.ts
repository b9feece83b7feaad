/** Services: one address for the pods that a selector picks. Addresses and node ports are admission's to give. */
import { dns1035LabelErrors } from '#api/kube/names.ts';
import type { Service } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, labelsCell, nameColumn, nameOf, wideColumn } from '../columns.ts';
import { defineResource } from '../resource.ts';
import type { Cell } from '../types.ts';
import { alignClusterIPs, dropTypeFields } from './service-types.ts';
import { validateService, validateServiceStatus, validateServiceUpdate } from './service-validation.ts';

const affinitySeconds = 10_800;
/** Load balancers' addresses are cut to this many characters without `-o wide`. */
const shownAddresses = 16;

export const services = defineResource<Service>({
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  name: dns1035LabelErrors,
  status: { validate: validateServiceStatus },
  subresources: [{
    name: 'proxy', type: 'connect', verbs: ['create', 'delete', 'get', 'patch', 'update'],
    kind: { group: '', version: 'v1', kind: 'ServiceProxyOptions' },
  }],
  columns: [
    nameColumn,
    column('Type', 'ClusterIP, NodePort, LoadBalancer or ExternalName.'),
    column('Cluster-IP', "The service's address inside the cluster."),
    column('External-IP', 'Addresses that reach it from outside.'),
    column('Port(s)', 'Its ports, each with its node port and protocol.'),
    ageColumn,
    wideColumn('Selector', 'The labels of the pods behind it.'),
  ],
  row: (service, context) => [
    nameOf(service), service.spec.type ?? '', service.spec.clusterIPs?.[0] ?? service.spec.clusterIP ?? '<none>',
    externalAddresses(service), ports(service), ageOf(service, context), labelsCell(service.spec.selector),
  ],
  defaults: (service) => {
    const { spec } = service;
    service.status ??= {};
    service.status.loadBalancer ??= {};
    spec.sessionAffinity ??= 'None';
    if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
    if (spec.sessionAffinity === 'ClientIP') spec.sessionAffinityConfig ??= { clientIP: { timeoutSeconds: affinitySeconds } };
    spec.type ??= 'ClusterIP';
    for (const port of spec.ports ?? []) {
      if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
    }
    if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') spec.externalTrafficPolicy ??= 'Cluster';
    if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
    if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  },
  prepareForCreate: (service) => {
    service.status = { loadBalancer: {} };
    alignClusterIPs(service.spec);
  },
  prepareForUpdate: ({ spec }, { spec: old }) => {
    alignClusterIPs(spec, old);
    dropTypeFields(spec, old);
  },
  validate: validateService,
  validateUpdate: validateServiceUpdate,
  selectableFields: ({ spec }) => ({ 'spec.clusterIP': spec.clusterIP ?? '', 'spec.type': spec.type ?? '' }),
});

function externalAddresses(service: Service): Cell {
  const { spec, status } = service;
  const given = (spec.externalIPs ?? []).join(',');
  if (spec.type === 'ExternalName') return spec.externalName ?? '';
  if (spec.type !== 'LoadBalancer') return given === '' ? '<none>' : given;
  const ingress = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '').filter((text) => text !== '').join(',');
  const all = [ingress, given].filter((text) => text !== '').join(',');
  if (all === '') return '<pending>';
  return all.length > shownAddresses && given === '' ? `${all.slice(0, shownAddresses - 3)}...` : all;
}

function ports(service: Service): string {
  const texts = (service.spec.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort === undefined || nodePort === 0 ? `${port}/${protocol ?? 'TCP'}` : `${port}:${nodePort}/${protocol ?? 'TCP'}`);
  return texts.length === 0 ? '<none>' : texts.join(',');
}
