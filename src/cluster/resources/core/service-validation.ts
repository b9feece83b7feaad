/** What a service may say. */
import { isIP } from 'node:net';
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { dnsLabelErrors, dnsSubdomainErrors, portNumberErrors } from '#api/kube/names.ts';
import type { Service, ServicePort, ServiceSpec } from '#api/kube/types.ts';
import { validateLabels } from '../metadata.ts';
import { oneOf, protocols, validatePortReference } from './container-validation.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const maxAffinitySeconds = 86_400;

export function validateService({ spec }: Service): FieldError[] {
  return [
    ...validateType(spec),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateAddresses(spec),
    ...validatePolicies(spec),
  ];
}

function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
}

function validateType(spec: ServiceSpec): FieldError[] {
  const errors = oneOf('spec.type', spec.type, types);
  if (spec.type === 'ExternalName') {
    for (const key of ['clusterIP', 'clusterIPs'] as const) {
      if ((spec[key] ?? '').length > 0) errors.push(fieldError.forbidden(`spec.${key}`, 'may not be set for ExternalName services'));
    }
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    if (name === '') errors.push(fieldError.required('spec.externalName'));
    else for (const detail of dnsSubdomainErrors(name)) errors.push(fieldError.invalid('spec.externalName', spec.externalName, detail));
  } else if (isHeadless(spec) && spec.type !== 'ClusterIP') {
    errors.push(fieldError.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`));
  }
  return errors;
}

function validatePorts(spec: ServiceSpec): FieldError[] {
  const ports = spec.ports ?? [];
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') return [fieldError.required('spec.ports')];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  return ports.flatMap((port, index) => {
    const path = `spec.ports[${index}]`;
    const errors = validatePort(port, path, ports.length > 1);
    if (port.name !== undefined && names.has(port.name)) errors.push(fieldError.duplicate(`${path}.name`, port.name));
    if (port.name !== undefined) names.add(port.name);
    if (port.nodePort && (spec.type === 'ClusterIP' || spec.type === 'ExternalName')) {
      errors.push(fieldError.forbidden(`${path}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    }
    const number = `${port.port}/${port.protocol}`;
    if (numbers.has(number)) errors.push(fieldError.duplicate(path, { port: port.port, protocol: port.protocol }));
    numbers.add(number);
    if (port.nodePort) {
      const nodePort = `${port.nodePort}/${port.protocol}`;
      if (nodePorts.has(nodePort)) errors.push(fieldError.duplicate(`${path}.nodePort`, port.nodePort));
      nodePorts.add(nodePort);
    }
    return errors;
  });
}

function validatePort(port: ServicePort, path: string, nameRequired: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (port.name === undefined) {
    if (nameRequired) errors.push(fieldError.required(`${path}.name`));
  } else for (const detail of dnsLabelErrors(port.name)) errors.push(fieldError.invalid(`${path}.name`, port.name, detail));
  for (const detail of portNumberErrors(port.port)) errors.push(fieldError.invalid(`${path}.port`, port.port, detail));
  errors.push(...oneOf(`${path}.protocol`, port.protocol, protocols), ...validatePortReference(port.targetPort, `${path}.targetPort`));
  if (port.nodePort) for (const detail of portNumberErrors(port.nodePort)) errors.push(fieldError.invalid(`${path}.nodePort`, port.nodePort, detail));
  return errors;
}

function validateAffinity(spec: ServiceSpec): FieldError[] {
  const errors = oneOf('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None']);
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (spec.sessionAffinity === 'ClientIP' && (seconds === undefined || seconds <= 0 || seconds > maxAffinitySeconds)) {
    errors.push(fieldError.invalid('spec.sessionAffinityConfig.clientIP.timeoutSeconds', seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`));
  }
  return errors;
}

/** Where a load balancer says that it is. */
export function validateServiceStatus({ status }: Service): FieldError[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, index) => {
    const path = `status.loadBalancer.ingress[${index}]`;
    return [
      ...(ip === undefined || ip === '' || isIP(ip) !== 0 ? [] : [fieldError.invalid(`${path}.ip`, ip, notAddress)]),
      ...(hostname ? dnsSubdomainErrors(hostname).map((detail) => fieldError.invalid(`${path}.hostname`, hostname, detail)) : []),
    ];
  });
}

const notAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';

function validateAddresses(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    if (address !== 'None' && isIP(address) === 0) errors.push(fieldError.invalid(`spec.clusterIPs[${index}]`, address, notAddress));
  }
  if (spec.clusterIP && spec.clusterIPs?.[0] !== undefined && spec.clusterIPs[0] !== spec.clusterIP) {
    errors.push(fieldError.invalid('spec.clusterIPs', spec.clusterIPs, 'first value must match `clusterIP`'));
  }
  for (const [index, address] of (spec.externalIPs ?? []).entries()) {
    if (isIP(address) === 0) errors.push(fieldError.invalid(`spec.externalIPs[${index}]`, address, notAddress));
    else if (/^(127\.|169\.254\.|0\.0\.0\.0$|22[4-9]\.|23\d\.|::1?$|fe80:|ff)/i.test(address)) {
      errors.push(fieldError.invalid(`spec.externalIPs[${index}]`, address, 'may not be an unspecified, loopback, link-local or multicast address'));
    }
  }
  return errors;
}

function validatePolicies(spec: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const outside = spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.externalIPs ?? []).length > 0;
  const policies = ['Cluster', 'Local'];
  if (spec.externalTrafficPolicy !== undefined && !outside) {
    errors.push(fieldError.invalid('spec.externalTrafficPolicy', spec.externalTrafficPolicy, 'may only be set for externally-accessible services'));
  } else if (spec.externalTrafficPolicy !== undefined) errors.push(...oneOf('spec.externalTrafficPolicy', spec.externalTrafficPolicy, policies));
  if (spec.internalTrafficPolicy !== undefined) errors.push(...oneOf('spec.internalTrafficPolicy', spec.internalTrafficPolicy, policies));
  if (spec.trafficDistribution !== undefined) {
    errors.push(...oneOf('spec.trafficDistribution', spec.trafficDistribution, ['PreferClose', 'PreferSameNode', 'PreferSameZone']));
  }
  // Whoever names them counts on their being held to; this proxy does not look at them.
  if (spec.type === 'LoadBalancer') {
    if ((spec.loadBalancerSourceRanges ?? []).length > 0) errors.push(fieldError.forbidden('spec.loadBalancerSourceRanges', 'is not supported by this cluster'));
    if (spec.healthCheckNodePort) errors.push(fieldError.forbidden('spec.healthCheckNodePort', 'is not supported by this cluster'));
  } else {
    if (spec.healthCheckNodePort) {
      errors.push(fieldError.invalid('spec.healthCheckNodePort', spec.healthCheckNodePort, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"));
    }
    if ((spec.loadBalancerSourceRanges ?? []).length > 0) {
      errors.push(fieldError.forbidden('spec.loadBalancerSourceRanges', "may only be used when `type` is 'LoadBalancer'"));
    }
    if (spec.allocateLoadBalancerNodePorts !== undefined) {
      errors.push(fieldError.forbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"));
    }
    if (spec.loadBalancerClass !== undefined) errors.push(fieldError.forbidden('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"));
  }
  return errors;
}

/** A cluster address, once given, stays while the service has one. */
export function validateServiceUpdate({ spec }: Service, { spec: old }: Service): FieldError[] {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return [];
  const before = old.clusterIPs ?? [];
  return before.flatMap((address, index) => {
    if (spec.clusterIPs?.[index] === address) return [];
    // The second family of a dual-stack service may be given up; the first address may not.
    if (index > 0 && spec.clusterIPs?.[index] === undefined) return [];
    return [fieldError.invalid(`spec.clusterIPs[${index}]`, spec.clusterIPs ?? [], 'may not change once set')];
  });
}
