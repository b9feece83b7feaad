/** What the API server has of nodes that leave. */
import type { Pod } from '#api/kube/types.ts';
import { nodes as nodesRef, pods as podsRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { monotonicMs, sleepOn, type Clock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Roster } from './types.ts';

/** Milliseconds that pods have to end by themselves, by their own grace periods, before a node is taken away. */
const emptyMs = 30_000;
const lookMs = 100;

/** Has the node take no more pods, and end those that it has, as long as its agent can. */
export async function emptyNode(client: KubeClient, name: string, clock: Clock): Promise<void> {
  await absentIsFine(client.patch(nodesRef, name, { type: 'merge', body: { spec: { unschedulable: true } } }));
  for (const pod of await podsOf(client, name)) await deletePod(client, pod);
  const limit = monotonicMs(clock) + emptyMs;
  while (monotonicMs(clock) < limit && (await podsOf(client, name)).length > 0) await sleepOn(clock, lookMs);
}

/** The Node goes; and its pods at once, for nobody is left to end them, unless a node of the same name is to have them. */
export async function removeFromCluster(client: KubeClient, name: string, roster: Roster): Promise<void> {
  await absentIsFine(client.delete(nodesRef, name));
  if (roster.nodes.some((node) => node.name === name)) return;
  for (const pod of await podsOf(client, name)) await deletePod(client, pod, 0);
}

export async function hasNode(client: KubeClient, name: string): Promise<boolean> {
  try {
    await client.get(nodesRef, name);
    return true;
  } catch (error) {
    if (isFault(error, 'not-found')) return false;
    throw error;
  }
}

async function podsOf(client: KubeClient, name: string): Promise<readonly Pod[]> {
  return (await client.list<Pod>(podsRef, { fieldSelector: `spec.nodeName=${name}` })).items;
}

function deletePod(client: KubeClient, { metadata }: Pod, gracePeriodSeconds?: number): Promise<void> {
  const { name = '', namespace, uid } = metadata;
  return absentIsFine(client.delete(podsRef, name, { namespace, ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }), preconditions: { uid } }));
}

async function absentIsFine(change: Promise<unknown>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!isFault(error, 'not-found', 'conflict')) throw error;
  }
}
