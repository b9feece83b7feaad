import type { NodePlace } from './types.ts';
import { removeHalfMade, removeStray, uidsOnNode } from './pod/strays.ts';

/** Ends and removes all pods of a node that is to be no more, with no agent running. Their objects stay. */
export async function clearPods(node: Omit<NodePlace, 'tokens'>): Promise<void> {
  const place = { ...node, tokens: new Map() };
  for (const uid of uidsOnNode(place)) await removeStray(place, uid);
  await removeHalfMade(place);
}
