import { hostPlatform } from '../platform.ts';
import { familiarString } from '../reference.ts';
import type { Reference } from '../reference.ts';
import { firstOf } from '../remote/download.ts';
import { namingOf, pullManifest } from '../remote/pull.ts';
import type { PullParts } from '../remote/pull.ts';
import { fetchForPlatform, fetchManifest } from '../remote/resolve.ts';
import type { PullOptions, PullResult } from '../types.ts';
import type { PeerFinder } from './find.ts';
import type { PeerOffer } from './types.ts';

/** Copies the first of `offers` that can be had; the name keeps the time at which it was given. */
export function copyImage(parts: PullParts & { finder: PeerFinder }, reference: Reference, offers: readonly PeerOffer[], options: PullOptions): Promise<PullResult> {
  const { finder, client } = parts;
  const what = familiarString(reference);
  const copy = async (offer: PeerOffer): Promise<PullResult> => {
    const { digest, isBuilt, namedAt } = offer;
    const holders = offer.holders.map((peer) => finder.repository(peer, reference));
    const { found, holder } = await firstOf(holders, what, client.parts.log, async (repository) => {
      const top = await fetchManifest(repository, digest, digest, options.signal);
      return { found: await fetchForPlatform(repository, top, options.platform ?? hostPlatform(), options.signal), holder: repository };
    });
    const naming = { ...namingOf(reference, isBuilt ? undefined : digest, options), at: namedAt };
    return pullManifest(parts, { sources: [holder, ...holders.filter((other) => other !== holder)], naming }, found, options);
  };
  return firstOf(offers.map((offer) => ({ ...offer, name: offer.holders.map((peer) => peer.name).join(', ') })), what, client.parts.log, copy);
}
