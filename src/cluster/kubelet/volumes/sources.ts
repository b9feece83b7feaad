/** The data of volumes: config maps, secrets, the pod's own fields, service account tokens. */
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { fieldValue, resourceValue } from '../container/fields.ts';
import type { Token } from '../types.ts';
import type { VolumeContext, VolumeFile } from './types.ts';

export const defaultFileMode = 0o644;

interface DataSource {
  name: string;
  items?: readonly KeyToPath[] | undefined;
  optional?: boolean | undefined;
  mode: number;
}

function missing(text: string): Fault {
  return new Fault('precondition', text, { details: { reason: 'FailedMount' } });
}

export async function configMapFiles(context: VolumeContext, source: DataSource): Promise<VolumeFile[]> {
  const map: ConfigMap | undefined = await context.objects.configMap(source.name);
  if (!map && !source.optional) throw missing(`configmap "${source.name}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(map?.data ?? {})) data.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(map?.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
  return pick(data, source, `references non-existent config key`);
}

export async function secretFiles(context: VolumeContext, source: DataSource): Promise<VolumeFile[]> {
  const secret: Secret | undefined = await context.objects.secret(source.name);
  if (!secret && !source.optional) throw missing(`secret "${source.name}" not found`);
  const data = new Map(Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
  return pick(data, source, `references non-existent secret key`);
}

function pick(data: ReadonlyMap<string, Buffer>, source: DataSource, absent: string): VolumeFile[] {
  if (!source.items) return [...data].map(([path, bytes]) => ({ path, data: bytes, mode: source.mode }));
  const files: VolumeFile[] = [];
  for (const item of source.items) {
    const bytes = data.get(item.key);
    if (bytes) files.push({ path: item.path, data: bytes, mode: item.mode ?? source.mode });
    else if (!source.optional) throw missing(`${absent}: ${item.key}`);
  }
  return files;
}

export function downwardFiles(context: VolumeContext, items: readonly DownwardAPIVolumeFile[], mode: number): VolumeFile[] {
  return items.map((item) => ({ path: item.path, data: Buffer.from(downwardText(context, item)), mode: item.mode ?? mode }));
}

function downwardText({ pod, facts }: VolumeContext, item: DownwardAPIVolumeFile): string {
  if (item.fieldRef) return fieldValue(pod, item.fieldRef.fieldPath, facts);
  if (!item.resourceFieldRef) throw new Fault('invalid', `downwardAPI item ${item.path} has neither fieldRef nor resourceFieldRef`);
  const { containerName, resource, divisor } = item.resourceFieldRef;
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((candidate) => candidate.name === containerName);
  if (!container) throw new Fault('invalid', `downwardAPI item ${item.path}: container ${containerName} not found`);
  return resourceValue(container, resource, divisor, facts);
}

interface TokenRequest {
  apiVersion: 'authentication.k8s.io/v1';
  kind: 'TokenRequest';
  spec: { audiences: string[]; expirationSeconds: number; boundObjectRef: { apiVersion: 'v1'; kind: 'Pod'; name: string; uid: string } };
  status?: { token: string; expirationTimestamp: string };
}

/** Asks for a token of the pod's service account, bound to the pod. */
export async function requestToken(context: VolumeContext, audience: string | undefined, expirationSeconds: number): Promise<Token> {
  const { pod, node } = context;
  const name = pod.spec.serviceAccountName || 'default';
  const path = `/api/v1/namespaces/${pod.metadata.namespace}/serviceaccounts/${name}/token`;
  const request: TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: audience ? [audience] : [], expirationSeconds, boundObjectRef: podReference(pod) },
  };
  const { status } = await node.client.request<TokenRequest>('POST', path, request);
  if (!status) throw new Fault('internal', `the API server gave no token for service account ${pod.metadata.namespace}/${name}`);
  const givenAt = node.clock.now();
  const lifeMs = Date.parse(status.expirationTimestamp) - givenAt;
  // As Kubernetes: after 80 % of its life, at most a day.
  return { token: status.token, givenAt, renewAt: givenAt + Math.min(lifeMs * 0.8, 24 * 3600 * 1000) };
}

function podReference(pod: Pod) {
  return { apiVersion: 'v1' as const, kind: 'Pod' as const, name: pod.metadata.name!, uid: pod.metadata.uid! };
}
