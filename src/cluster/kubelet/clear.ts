import type { NodePlace } from './types.ts';
import { clearNode, uidsOnNode } from './pod/place.ts';

/** Ends and removes all pods of a node that is to be no more, with no agent running. Their objects stay. */
export async function clearPods(node: Omit<NodePlace, 'tokens'>): Promise<void> {
  const place = { ...node, tokens: new Map() };
  for (const uid of uidsOnNode(place)) await clearNode(place, uid);
}
