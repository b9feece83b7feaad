import { mkdirSync } from 'node:fs';
import type { Pod, Service } from '#api/kube/types.ts';
import { every } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { pods as podsRef, services } from '#client/kube/resources.ts';
import { createEventRecorder } from '#cluster/machinery/events.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import { parse } from '#cluster/machinery/requests.ts';
import { podRecorder } from './events.ts';
import { collectImages } from './images/collect.ts';
import { nodeFacts } from './node/facts.ts';
import type { NodeFacts } from './node/facts.ts';
import { followOwnNode, keepLease } from './node/presence.ts';
import { allocatableOf, registerNode, renewLease, reportNode } from './node/register.ts';
import { PodManager } from './pod/manager.ts';
import { wasTaken } from './pod/refuse.ts';
import { removeHalfMade } from './pod/strays.ts';
import { startServer } from './server/server.ts';
import type { Kubelet, KubeletOptions, NodeContext } from './types.ts';

const defaultStatusMs = 60_000;

/** Starts the agent of a node: resolves when the node is registered and its pods are being worked on. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const log = options.log.child('kubelet', { node: options.nodeName });
  mkdirSync(options.root, { recursive: true, mode: 0o711 });
  const facts = nodeFacts(options.version, options.core.kernel.files.space(options.root).total, options.nodeName);
  const stopping = new AbortController();
  const { client, clock } = options;
  const { signal } = stopping;
  const events = createEventRecorder({ client, clock, random: options.random, log, signal, host: options.nodeName });
  const node: NodeContext = {
    ...options,
    log,
    recorder: podRecorder(events, options.nodeName),
    services: createInformer<Service>({ client, ref: services, clock, log, signal }),
    tokens: new Map(),
    imagesUsed: new Map(),
    allocatable: { cpu: String(facts.cpus), memory: String(facts.memoryBytes), memoryBytes: facts.memoryBytes },
    room: parse(allocatableOf(options, facts)),
  };
  await ensurePodNetwork(node);
  await removeHalfMade(node);
  const pods = new PodManager(node);
  const server = await startServer(node, pods);
  try {
    await registerNode(node, facts, server.port);
    await renewLease(node);
  } catch (error) {
    stopping.abort();
    await server.close();
    await pods.stop();
    throw error;
  }
  const refresh = (): Promise<void> => refreshNode(node, facts, server.port).catch((error: unknown) => log.warn('the status of the node could not be written', { error }));
  const timers = [
    keepLease(node, () => void refresh()),
    every(node.clock, options.statusMs ?? defaultStatusMs, refresh),
    collectImages(node),
  ];
  const own = followOwnNode(node, signal, refresh);
  await node.services.synced;
  const bound = createInformer<Pod>({ client, ref: podsRef, clock, log, signal, fieldSelector: `spec.nodeName=${node.nodeName}` });
  await bound.synced;
  // What runs has its room, whatever came while the agent was away.
  for (const pod of bound.list().filter(wasTaken)) pods.set(pod);
  bound.onChange(({ type, object }) => (type === 'DELETED' ? pods.remove(object) : pods.set(object)));
  await pods.removeStrays(bound.list());
  return {
    port: server.port,
    async stop() {
      for (const timer of timers) timer.cancel();
      await server.close();
      await pods.stop();
      await events.flush();
      stopping.abort();
      await Promise.all([bound.done, node.services.done, own.done]);
    },
  };
}

/** Somebody may have deleted the Node. */
async function refreshNode(node: NodeContext, facts: NodeFacts, port: number): Promise<void> {
  try {
    await reportNode(node, facts, port);
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
    if (node.keepNode ?? true) await registerNode(node, facts, port);
    else node.log.debug('the Node was deleted');
  }
}

async function ensurePodNetwork(node: NodeContext): Promise<void> {
  const { name, subnet } = node.podNetwork;
  if (node.core.networks.get(name)) return;
  await node.core.networks.create({ name, driver: 'bridge', options: { 'gantry.network.point_to_point': 'true' }, labels: { 'gantry.node': node.nodeName }, ...(subnet ? { ipam: { config: [{ subnet }] } } : {}) });
}
