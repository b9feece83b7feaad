/** The environment of a container: Services, `envFrom`, `env`, in this order, later ones winning. */
import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { expand } from './expand.ts';
import { fieldValue, resourceValue } from './fields.ts';
import type { PodFacts } from './fields.ts';

/** Objects that a pod names. Undefined where there is none. */
export interface PodObjects {
  configMap(name: string): Promise<ConfigMap | undefined>;
  secret(name: string): Promise<Secret | undefined>;
  /** Of the pod's namespace, and the cluster's own `kubernetes`. */
  services(): Promise<readonly Service[]>;
}

export async function buildEnvironment(pod: Pod, container: Container, objects: PodObjects, facts: PodFacts): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  const services = pod.spec.enableServiceLinks === false ? (await objects.services()).filter(isMaster) : await objects.services();
  for (const service of services) addService(values, service);
  for (const from of container.envFrom ?? []) {
    const data = await sourceData(from, objects);
    for (const [key, value] of Object.entries(data)) values.set((from.prefix ?? '') + key, value);
  }
  for (const variable of container.env ?? []) {
    const value = await valueOf(pod, container, variable, values, objects, facts);
    if (value !== undefined) values.set(variable.name, value);
  }
  return values;
}

/** A reference to what is not there. The kubelet waits for it: `CreateContainerConfigError`. */
function missing(text: string): Fault {
  return new Fault('precondition', text, { details: { reason: 'CreateContainerConfigError' } });
}

async function sourceData(from: NonNullable<Container['envFrom']>[number], objects: PodObjects): Promise<Record<string, string>> {
  if (from.configMapRef) {
    const name = from.configMapRef.name ?? '';
    const map = await objects.configMap(name);
    if (!map && !from.configMapRef.optional) throw missing(`configmap "${name}" not found`);
    return map?.data ?? {};
  }
  if (from.secretRef) {
    const name = from.secretRef.name ?? '';
    const secret = await objects.secret(name);
    if (!secret && !from.secretRef.optional) throw missing(`secret "${name}" not found`);
    return Object.fromEntries(Object.entries(secret?.data ?? {}).map(([key, value]) => [key, decode(value)]));
  }
  return {};
}

async function valueOf(
  pod: Pod,
  container: Container,
  variable: EnvVar,
  values: ReadonlyMap<string, string>,
  objects: PodObjects,
  facts: PodFacts,
): Promise<string | undefined> {
  const from = variable.valueFrom;
  if (!from) return expand(variable.value ?? '', values);
  if (from.fieldRef) return fieldValue(pod, from.fieldRef.fieldPath, facts);
  if (from.resourceFieldRef) {
    const { containerName, resource, divisor } = from.resourceFieldRef;
    const named = containerName ? [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((c) => c.name === containerName) : container;
    if (!named) throw missing(`container ${containerName} not found`);
    return resourceValue(named, resource, divisor, facts);
  }
  if (from.configMapKeyRef) {
    const { name = '', key, optional } = from.configMapKeyRef;
    const map = await objects.configMap(name);
    if (!map && !optional) throw missing(`configmap "${name}" not found`);
    const value = map?.data?.[key];
    if (value === undefined && !optional) throw missing(`couldn't find key ${key} in ConfigMap ${pod.metadata.namespace}/${name}`);
    return value;
  }
  if (from.secretKeyRef) {
    const { name = '', key, optional } = from.secretKeyRef;
    const secret = await objects.secret(name);
    if (!secret && !optional) throw missing(`secret "${name}" not found`);
    const value = secret?.data?.[key];
    if (value === undefined && !optional) throw missing(`couldn't find key ${key} in Secret ${pod.metadata.namespace}/${name}`);
    return value === undefined ? undefined : decode(value);
  }
  throw new Fault('not-implemented', `env ${variable.name}: this source of a value is not supported`);
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

function isMaster(service: Service): boolean {
  return service.metadata.name === 'kubernetes' && service.metadata.namespace === 'default';
}

/** `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT…` and the link variables of old. */
function addService(values: Map<string, string>, service: Service): void {
  const ip = service.spec?.clusterIP;
  if (!ip || ip === 'None') return;
  const upper = (text: string): string => text.toUpperCase().replaceAll('-', '_');
  const name = upper(service.metadata.name ?? '');
  const host = ip.includes(':') ? `[${ip}]` : ip;
  const ports = service.spec?.ports ?? [];
  values.set(`${name}_SERVICE_HOST`, ip);
  ports.forEach((port, index) => {
    const protocol = (port.protocol ?? 'TCP').toLowerCase();
    const url = `${protocol}://${host}:${port.port}`;
    const prefix = `${name}_PORT_${port.port}_${upper(protocol)}`;
    if (index === 0) {
      values.set(`${name}_SERVICE_PORT`, String(port.port));
      values.set(`${name}_PORT`, url);
    }
    if (port.name) values.set(`${name}_SERVICE_PORT_${upper(port.name)}`, String(port.port));
    values.set(prefix, url);
    values.set(`${prefix}_PROTO`, protocol);
    values.set(`${prefix}_PORT`, String(port.port));
    values.set(`${prefix}_ADDR`, ip);
  });
}
