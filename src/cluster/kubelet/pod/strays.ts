/** What is on the node of pods that are gone, or was half made when the agent ended. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { labelOf, owner } from '../types.ts';
import type { NodePlace } from '../types.ts';
import { logsDirectory, uidOfLogs } from './attempts.ts';
import { clearNode } from './place.ts';

/** The pods of which anything is here. */
export function uidsOnNode(node: NodePlace): Set<string> {
  const { core, root, nodeName } = node;
  const labelled = [...core.containers.list({ owner }), ...core.sandboxes.list({ owner })].filter(({ labels }) => labels[labelOf.node] === nodeName);
  return new Set([...labelled.map(({ labels }) => labels[labelOf.uid]!), ...namesIn(join(root, 'pods')), ...namesIn(logsDirectory(node)).map(uidOfLogs)]);
}

export async function removeStray(node: NodePlace, uid: string): Promise<void> {
  await clearNode(node, uid);
  for (const name of namesIn(logsDirectory(node))) {
    if (uidOfLogs(name) === uid) rmSync(join(logsDirectory(node), name), { recursive: true, force: true });
  }
}

/** Root file systems whose containers were never made. For the start, before any is being made. */
export async function removeHalfMade(node: NodePlace): Promise<void> {
  const { snapshots, containers } = node.core;
  for (const { key, labels } of snapshots.active()) {
    if (labels['owner'] === owner && labels[labelOf.node] === node.nodeName && !containers.get(key)) await snapshots.remove(key);
  }
}

function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
