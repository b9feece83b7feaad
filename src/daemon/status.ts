import { readFileSync } from 'node:fs';
import type { DaemonFile, Status } from '#api/gantry/status.ts';
import type { Node, Pod } from '#api/kube/types.ts';
import { nodes as nodesRef, pods as podsRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import type { Engine } from '#engine/engine.ts';
import { isoTime } from '#lib/clock.ts';
import type { Kernel } from '#sys/types.ts';
import { version, type DaemonConfig } from './config.ts';
import type { Nodes } from './nodes/types.ts';
import type { Runtime } from './runtime.ts';

export interface StatusSources {
  config: DaemonConfig;
  startedAt: number;
  engine: Engine;
  file: DaemonFile;
  client: KubeClient;
  runtime: Runtime;
  kernel: Kernel;
  nodes: Nodes;
}

export async function statusOf(sources: StatusSources): Promise<Status> {
  const { config, file, client, runtime, kernel } = sources;
  const all = await sources.engine.containers.list({ all: true, limit: 0, size: false, filters: {} });
  const [nodeList, podList] = await Promise.all([client.list<Node>(nodesRef), client.list<Pod>(podsRef)]);
  const { total, available } = kernel.files.space(config.root);
  return {
    daemon: {
      pid: process.pid,
      version,
      root: config.root,
      instance: config.instance,
      startedAt: isoTime(sources.startedAt),
      memoryBytes: residentBytes(),
    },
    docker: { socket: file.docker },
    api: { url: file.apiUrl, kubeconfig: file.kubeconfig },
    nodes: sources.nodes.list().map(({ name, address, pid }) => ({ name, ready: isReady(nodeList.items.find((n) => n.metadata.name === name)), pid: pid ?? null, address })),
    containers: { running: all.filter((c) => c.State === 'running').length, total: all.length },
    pods: { running: podList.items.filter((p) => p.status?.phase === 'Running').length, total: podList.items.length },
    images: runtime.images.list().length,
    disk: { totalBytes: total, availableBytes: available },
  };
}

function isReady(node: Node | undefined): boolean {
  return node?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

function residentBytes(): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kib ?? 0) * 1024;
}
