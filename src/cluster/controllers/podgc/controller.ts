import type { Node, Pod } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { nodes as nodesRef, pods as podsRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { ControllerFactory, Informer } from '#cluster/machinery/types.ts';
import { planText } from '../planned.ts';
import { planPodGarbage } from './plan.ts';
import { monotonicMs } from '#lib/clock.ts';

const name = 'podgc';
/** What changes within this many milliseconds is looked at together. */
const gatherMs = 1000;
/** How long a node must be missing before its pods are given up, in milliseconds: it may register again. */
const missingMs = 40_000;
/** The one key: all pods are looked at together. */
const all = 'all';

/** Deletes pods that nobody else will: those of nodes that are gone, and too many that have ended. */
export const podGarbageController: ControllerFactory = (context) => {
  const { client, clock, log, signal, informers } = context;
  const queue = new WorkQueue({ clock });
  const nodes = informers.of<Node>(nodesRef);
  const pods = informers.of<Pod>(podsRef);
  const missingSince = new Map<string, number>();
  nodes.onChange(({ type }) => {
    if (type === 'DELETED') queue.addAfter(all, gatherMs);
  });
  pods.onChange(({ type, object }) => {
    const { nodeName = '' } = object.spec;
    const concerned = nodeName === '' ? object.metadata.deletionTimestamp !== undefined : nodes.get(nodeName) === undefined;
    if (type !== 'DELETED' && (concerned || isFinishedPod(object))) queue.addAfter(all, gatherMs);
  });
  const reconcile = async (): Promise<number | undefined> => {
    const present = pods.list();
    const lost = await lostNodes(client, nodes, present, missingSince, monotonicMs(clock));
    const plan = planPodGarbage(present, lost);
    if (plan.length > 0) log.info(planText(plan), { controller: name });
    for (const { pod } of plan) await remove(client, pod, signal);
    // The others are missing only for now.
    const waits = [...missingSince].filter(([node]) => !lost.has(node)).map(([, since]) => since + missingMs - monotonicMs(clock));
    return waits.length === 0 ? undefined : Math.min(...waits);
  };
  queue.add(all);
  return { name, run: () => runController({ name, queue, workers: 1, synced: [nodes.synced, pods.synced], reconcile, signal, log, clock }) };
};

/** Nodes that pods name, that were missing for long, and that the API does not know either. */
async function lostNodes(client: KubeClient, nodes: Informer<Node>, pods: readonly Pod[], since: Map<string, number>, now: number): Promise<Set<string>> {
  const missing = new Set(pods.map(({ spec }) => spec.nodeName ?? '').filter((node) => node !== '' && !nodes.get(node)));
  for (const node of since.keys()) if (!missing.has(node)) since.delete(node);
  const lost = new Set<string>();
  for (const node of missing) {
    const at = since.get(node) ?? now;
    since.set(node, at);
    if (now - at < missingMs) continue;
    try {
      await client.get(nodesRef, node);
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
      lost.add(node);
    }
  }
  return lost;
}

/** At once: nobody is there to stop it. */
async function remove(client: KubeClient, pod: Pod, signal: AbortSignal): Promise<void> {
  const { name: podName = '', namespace, uid } = pod.metadata;
  try {
    await client.delete(podsRef, podName, { namespace, gracePeriodSeconds: 0, preconditions: { uid }, signal });
  } catch (error) {
    if (!isFault(error, 'not-found', 'conflict')) throw error;
  }
}
