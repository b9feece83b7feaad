/** Images of containers, by their pull policy. */
import type { Container, Pod, Secret } from '#api/kube/types.ts';
import type { Image, RegistryAuth } from '#core/images/types.ts';
import { Fault, messageOf } from '#lib/errors.ts';
import type { PodObjects } from '../container/environment.ts';
import type { NodeContext } from '../types.ts';

/** `Always` for `latest` and no tag, else `IfNotPresent`, where the pod does not say. */
export function pullPolicyOf(container: Container): string {
  if (container.imagePullPolicy) return container.imagePullPolicy;
  const image = container.image ?? '';
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** The image of a container: one that is there, or pulled, with events as Kubernetes has them. */
export async function ensureImage(node: NodeContext, pod: Pod, container: Container, objects: PodObjects, signal: AbortSignal): Promise<Image> {
  const name = container.image ?? '';
  const policy = pullPolicyOf(container);
  const present = node.core.images.get(name);
  // What was built here has no registry to be compared with, whatever the policy.
  if (present && (policy !== 'Always' || present.digests.length === 0)) {
    node.recorder.pod(pod, 'Normal', 'Pulled', `Container image "${name}" already present on machine`, container.name);
    return present;
  }
  if (policy === 'Never') {
    throw new Fault('not-found', `Container image "${name}" is not present with pull policy of Never`, { details: { reason: 'ErrImageNeverPull' } });
  }
  const began = node.clock.now();
  node.recorder.pod(pod, 'Normal', 'Pulling', `Pulling image "${name}"`, container.name);
  try {
    const { image } = await pull(node, pod, name, objects, signal);
    node.recorder.pod(pod, 'Normal', 'Pulled', `Successfully pulled image "${name}" in ${((node.clock.now() - began) / 1000).toFixed(3)}s. Image size: ${image.size} bytes.`, container.name);
    return image;
  } catch (error) {
    const message = `Failed to pull image "${name}": ${messageOf(error)}`;
    node.recorder.pod(pod, 'Warning', 'Failed', message, container.name);
    throw new Fault('unavailable', message, { cause: error, details: { reason: 'ErrImagePull' } });
  }
}

async function pull(node: NodeContext, pod: Pod, name: string, objects: PodObjects, signal: AbortSignal) {
  const candidates = [...(await pullAuths(pod, name, objects)), undefined];
  let failed: unknown;
  for (const auth of candidates) {
    try {
      return await node.core.images.pull(name, { signal, ...(auth ? { auth } : {}) });
    } catch (error) {
      failed ??= error;
      if (signal.aborted) break;
    }
  }
  throw failed;
}

/** Credentials of the pod's pull secrets that are for the registry of `image`. */
async function pullAuths(pod: Pod, image: string, objects: PodObjects): Promise<RegistryAuth[]> {
  const first = image.split('/')[0]!;
  const registry = image.includes('/') && /[.:]|^localhost$/.test(first) ? first : 'docker.io';
  const auths: RegistryAuth[] = [];
  for (const { name } of pod.spec.imagePullSecrets ?? []) {
    const secret = name ? await objects.secret(name) : undefined;
    for (const [server, auth] of secret ? serversOf(secret) : []) {
      if (hostOf(server) === registry || (registry === 'docker.io' && hostOf(server) === 'index.docker.io')) auths.push(auth);
    }
  }
  return auths;
}

function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').split('/')[0]!;
}

function serversOf(secret: Secret): [string, RegistryAuth][] {
  const current = secret.data?.['.dockerconfigjson'];
  const old = secret.data?.['.dockercfg'];
  const text = current ?? old;
  if (text === undefined) return [];
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as { auths?: Record<string, { auth?: string; username?: string; password?: string }> };
    const servers = (current === undefined ? parsed : parsed.auths) as Record<string, { auth?: string; username?: string; password?: string }> | undefined;
    return Object.entries(servers ?? {}).map(([server, entry]) => [server, authOf(entry)]);
  } catch {
    return [];
  }
}

function authOf(entry: { auth?: string; username?: string; password?: string }): RegistryAuth {
  if (entry.username !== undefined) return { username: entry.username, password: entry.password ?? '' };
  const [username, ...password] = Buffer.from(entry.auth ?? '', 'base64').toString('utf8').split(':');
  return { username: username ?? '', password: password.join(':') };
}
