import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Deployment, KubeObject, Node, Pod, Service } from '#api/kube/types.ts';
import { deployments, nodes, pods, services as servicesRef } from '#client/kube/resources.ts';
import type { ResourceRef } from '#client/kube/types.ts';
import { Fault, isFault } from '#lib/errors.ts';
import type { DemoContext } from './types.ts';
import { services } from './build.ts';

const namespace = 'default';
const refs: Readonly<Record<string, ResourceRef>> = { Deployment: deployments, Service: servicesRef };

/** Milliseconds between two looks at what becomes available, and for the word that it did when the controllers say nothing. */
const lookMs = 200;
const silenceMs = 900_000;

/** Creates what the manifests describe, or changes it to what they say. A new image rolls its Deployment out. */
export async function applyManifests(context: DemoContext, images: ReadonlyMap<string, string>): Promise<void> {
  const folder = join(context.blog, 'k8s');
  for (const name of (await readdir(folder)).sort()) {
    for (const document of parseAllDocuments(await readFile(join(folder, name), 'utf8'))) {
      const object = document.toJS() as KubeObject;
      const ref = refs[object.kind];
      if (!ref) throw new Fault('invalid', `${name}: the demo applies Deployments and Services, not ${object.kind}`);
      if (ref === deployments) markImage(object as unknown as Deployment, images.get(object.metadata.name ?? ''));
      await apply(context, ref, object);
    }
  }
}

async function apply(context: DemoContext, ref: ResourceRef, object: KubeObject): Promise<void> {
  const name = object.metadata.name ?? '';
  const options = { namespace, fieldManager: 'gantry-demo' };
  try {
    await context.kube.create(ref, { ...object, metadata: { ...object.metadata, namespace } }, options);
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error;
    await context.kube.patch(ref, name, { type: 'merge', body: object }, options);
  }
}

/** The tag stays the same from build to build: the id is what tells the pods apart. */
function markImage(deployment: Deployment, id: string | undefined): void {
  const template = deployment.spec?.template;
  if (!template || id === undefined) return;
  template.metadata = { ...template.metadata, annotations: { ...template.metadata?.annotations, 'gantry.demo/image': id } };
}

/** Waits as `kubectl rollout status` does: until a Deployment itself says that it gets no further. */
export async function awaitRollout(context: DemoContext): Promise<void> {
  const limit = context.clock.monotonic() + BigInt(silenceMs) * 1_000_000n;
  const waiting = new Set<string>(services);
  for (;;) {
    const { items } = await context.kube.list<Deployment>(deployments, { namespace });
    for (const deployment of items) {
      const name = deployment.metadata?.name ?? '';
      if (waiting.has(name) && isAvailable(deployment)) {
        waiting.delete(name);
        context.say(`${name}: ${deployment.status?.availableReplicas} of ${deployment.spec?.replicas}`);
      }
    }
    if (waiting.size === 0) return;
    const stuck = items.find((d) => waiting.has(d.metadata?.name ?? '') && isStuck(d))?.metadata?.name;
    if (stuck !== undefined || context.clock.monotonic() > limit) {
      throw new Fault('timeout', `${stuck ?? [...waiting].join(', ')} gets no further: ./gantry env, then kubectl describe pods, says more\n${await whatPodsSay(context)}`);
    }
    await context.clock.sleep(lookMs);
  }
}

function isAvailable({ metadata, spec, status }: Deployment): boolean {
  const wanted = spec?.replicas ?? 1;
  return status?.observedGeneration === metadata?.generation && status?.updatedReplicas === wanted && status?.availableReplicas === wanted && status?.replicas === wanted;
}

function isStuck({ metadata, status }: Deployment): boolean {
  const progressing = status?.conditions?.find((c) => c.type === 'Progressing');
  return status?.observedGeneration === metadata?.generation && progressing?.status === 'False';
}

async function whatPodsSay(context: DemoContext): Promise<string> {
  const { items } = await context.kube.list<Pod>(pods, { namespace });
  return items
    .map((pod) => {
      const waits = (pod.status?.containerStatuses ?? []).flatMap((c) => (c.state?.waiting ? [`${c.state.waiting.reason}: ${c.state.waiting.message ?? ''}`] : []));
      return `  ${pod.metadata?.name}: ${pod.status?.phase} ${waits.join('; ')}`;
    })
    .join('\n');
}

/** Where the page is reached from this host: a node's address and the Service's node port. */
export async function pageAddress(context: DemoContext): Promise<string> {
  const service = await context.kube.get<Service>(servicesRef, 'client', namespace);
  const port = service.spec?.ports?.[0]?.nodePort;
  const { items } = await context.kube.list<Node>(nodes);
  const address = items[0]?.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
  if (!port || !address) throw new Fault('internal', 'the Service client has no node port, or the node no address');
  return `http://${address}:${port}`;
}
