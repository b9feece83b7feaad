import { mkdirSync } from 'node:fs';
import type { Pod } from '#api/kube/types.ts';
import { every } from '#lib/clock.ts';
import { createRecorder } from './events.ts';
import { follow } from './follow.ts';
import { nodeFacts } from './node/facts.ts';
import { registerNode, renewLease, reportNode } from './node/register.ts';
import { PodManager } from './pod/manager.ts';
import { startServer } from './server/server.ts';
import { podsRef } from './types.ts';
import type { Kubelet, KubeletOptions, NodeContext } from './types.ts';

const leaseMs = 10_000;
const statusMs = 60_000;

/** Starts the agent of a node: resolves when the node is registered and its pods are being worked on. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const log = options.log.child('kubelet', { node: options.nodeName });
  mkdirSync(options.root, { recursive: true, mode: 0o711 });
  const facts = nodeFacts(options.version, options.core.kernel.files.space(options.root).total, options.nodeName);
  const node: NodeContext = {
    ...options,
    log,
    recorder: createRecorder({ ...options, log }),
    tokens: new Map(),
    allocatable: { cpu: String(facts.cpus), memory: String(facts.memoryBytes), memoryBytes: facts.memoryBytes },
  };
  await ensurePodNetwork(node);
  const stopping = new AbortController();
  const pods = new PodManager(node);
  const server = await startServer(node, pods);
  try {
    await registerNode(node, facts, server.port);
    await renewLease(node);
  } catch (error) {
    await server.close();
    await pods.stop();
    throw error;
  }
  const warn = (what: string) => (error: unknown) => log.warn(what, { error });
  const timers = [
    every(node.clock, leaseMs, () => renewLease(node).catch(warn('the lease could not be renewed'))),
    every(node.clock, statusMs, () => reportNode(node, facts, server.port).catch(warn('the status of the node could not be written'))),
  ];
  const listed = Promise.withResolvers<void>();
  const following = follow<Pod>({
    client: node.client,
    clock: node.clock,
    log,
    ref: podsRef,
    fieldSelector: `spec.nodeName=${node.nodeName}`,
    signal: stopping.signal,
    replace: async (items) => {
      await pods.replace(items);
      listed.resolve();
    },
    change: (type, pod) => (type === 'DELETED' ? pods.remove(pod) : pods.set(pod)),
  });
  await Promise.race([listed.promise, following]);
  return {
    port: server.port,
    async stop() {
      stopping.abort();
      for (const timer of timers) timer.cancel();
      await server.close();
      await following;
      await pods.stop();
      await node.recorder.flush();
    },
  };
}

async function ensurePodNetwork(node: NodeContext): Promise<void> {
  const { name, subnet } = node.podNetwork;
  if (node.core.networks.get(name)) return;
  await node.core.networks.create({ name, driver: 'bridge', labels: { 'gantry.node': node.nodeName }, ...(subnet ? { ipam: { config: [{ subnet }] } } : {}) });
}
