import { createHash } from 'node:crypto';
import type { Digest } from '#core/content/types.ts';
import type { ChainId } from './types.ts';

/** The chain id of the layer `diffId` on `parent` (OCI image spec, "Layer ChainID"). */
export function chainOn(parent: ChainId, diffId: Digest): Digest {
  if (parent === '') return diffId;
  return `sha256:${createHash('sha256').update(`${parent} ${diffId}`).digest('hex')}`;
}

/** The chain id of each layer of `diffIds`, base first. */
export function chainsOf(diffIds: readonly Digest[]): Digest[] {
  const chains: Digest[] = [];
  for (const diffId of diffIds) chains.push(chainOn(chains.at(-1) ?? '', diffId));
  return chains;
}

/** The chain id of the topmost of `diffIds`. */
export function chainOf(diffIds: readonly Digest[]): ChainId {
  return chainsOf(diffIds).at(-1) ?? '';
}
