/** Images of containers, by their pull policy. */
import type { Container, Pod, Secret } from '#api/kube/types.ts';
import { isFromRegistry, parseReference } from '#core/images/reference.ts';
import type { Image, PullResult, RegistryAuth } from '#core/images/types.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import type { PodObjects } from '../container/environment.ts';
import { owner } from '../types.ts';
import type { NodeContext } from '../types.ts';
import { monotonicMs } from '#lib/clock.ts';

/** `Always` for `latest` and no tag, else `IfNotPresent`, where the pod does not say. */
export function pullPolicyOf(container: Container): string {
  if (container.imagePullPolicy) return container.imagePullPolicy;
  const image = container.image ?? '';
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** Where the image of a container may come from, asked in this order; none of them: it is refused. */
export interface ImagePlan {
  peers: boolean;
  registry: boolean;
  /** Alone: the one that is here. After others: what is here, where they fail. */
  present: boolean;
}

/**
 * For the pull policy, the stores of the cluster are one: a policy decides about the registry alone
 * (docs/decisions/0009-the-stores-of-a-cluster-are-one.md). What was built in the cluster has no registry to be compared
 * with, so its newest build counts, whatever the policy; `offers` are better than what is present.
 */
export function planImage(policy: string, present: { isBuilt: boolean } | undefined, offers: readonly { isBuilt: boolean }[]): ImagePlan {
  const [newest] = offers;
  if (newest && (newest.isBuilt || policy !== 'Always')) {
    return { peers: true, registry: !present && policy !== 'Never', present: present !== undefined && policy !== 'Always' };
  }
  if (present && (policy !== 'Always' || (present.isBuilt && !newest))) return { peers: false, registry: false, present: true };
  return { peers: false, registry: policy !== 'Never', present: false };
}

/** The image of a container: one that is there, or copied, or pulled, with events as Kubernetes has them. */
export async function ensureImage(node: NodeContext, pod: Pod, container: Container, objects: PodObjects, signal: AbortSignal): Promise<Image> {
  const { images } = node.core;
  const name = container.image ?? '';
  const policy = pullPolicyOf(container);
  const present = images.get(name);
  const offers = await images.offers(name, { signal }).catch((error: unknown) => {
    if (isFault(error, 'invalid')) return []; // no name at all: what cannot be pulled says so
    throw error;
  });
  const plan = planImage(policy, present && { isBuilt: isBuilt(present, name) }, offers);
  const alone = !plan.peers && !plan.registry;
  if (alone && present) {
    node.imagesUsed.set(present.id, node.clock.now());
    node.recorder.pod(pod, 'Normal', 'Pulled', `Container image "${name}" already present on machine`, container.name);
    return present;
  }
  if (alone) {
    throw new Fault('not-found', `Container image "${name}" is not present with pull policy of Never`, { details: { reason: 'ErrImageNeverPull' } });
  }
  const began = monotonicMs(node.clock);
  node.recorder.pod(pod, 'Normal', 'Pulling', `Pulling image "${name}"`, container.name);
  const sources: (() => Promise<PullResult>)[] = [];
  if (plan.peers) sources.push(() => images.copy(name, offers, { signal, owner }));
  if (plan.registry) sources.push(() => pull(node, pod, name, objects, signal));
  try {
    const { image } = await firstThatGives(sources, signal);
    node.recorder.pod(pod, 'Normal', 'Pulled', `Successfully pulled image "${name}" in ${((monotonicMs(node.clock) - began) / 1000).toFixed(3)}s. Image size: ${image.size} bytes.`, container.name);
    return image;
  } catch (error) {
    const message = `Failed to pull image "${name}": ${messageOf(error)}`;
    node.recorder.pod(pod, 'Warning', 'Failed', message, container.name);
    if (plan.present && present && !signal.aborted) return present;
    throw new Fault('unavailable', message, { cause: error, details: { reason: 'ErrImagePull' } });
  }
}

function isBuilt(image: Image, name: string): boolean {
  try {
    return !isFromRegistry(image, parseReference(name));
  } catch {
    return image.digests.length === 0; // it goes by its id
  }
}

/** The first success; where there is none, what all of them said. */
async function firstThatGives(sources: readonly (() => Promise<PullResult>)[], signal: AbortSignal): Promise<PullResult> {
  const said: string[] = [];
  for (const source of sources) {
    try {
      return await source();
    } catch (error) {
      if (signal.aborted) throw error;
      said.push(messageOf(error));
    }
  }
  throw new Fault('unavailable', said.join('; '));
}

async function pull(node: NodeContext, pod: Pod, name: string, objects: PodObjects, signal: AbortSignal) {
  const candidates = [...(await pullAuths(pod, name, objects)), undefined];
  let failed: unknown;
  for (const auth of candidates) {
    try {
      return await node.core.images.pull(name, { signal, owner, ...(auth ? { auth } : {}) });
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
