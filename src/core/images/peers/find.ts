import type { Clock } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import { isDigest } from '#core/content/types.ts';
import type { Digest } from '#core/content/types.ts';
import { limitTime } from '../limit-time.ts';
import type { Reference } from '../reference.ts';
import { Repository } from '../remote/client.ts';
import { offerHeaders, peerLimits } from './types.ts';
import type { Peer, PeerOffer, Peers } from './types.ts';

export interface FinderParts {
  peers: Peers;
  clock: Clock;
  random: Random;
  log: Logger;
}

type Answer = { peer: Peer } & Omit<PeerOffer, 'holders'>;

/** Asks peers what they have. */
export class PeerFinder {
  readonly #parts: FinderParts;
  /** Until when a peer that failed is left in peace, by its URL. */
  readonly #resting = new Map<string, number>();

  constructor(parts: FinderParts) {
    this.#parts = parts;
  }

  /** What they have under a name, the newest first; by digest, one offer at most. */
  async offers(reference: Reference, signal?: AbortSignal): Promise<PeerOffer[]> {
    const asked = await Promise.all((await this.#awake()).map((peer) => this.#ask(peer, reference, signal)));
    const offers = new Map<Digest, PeerOffer>();
    for (const answer of asked) {
      if (!answer) continue;
      const { peer, ...offer } = answer;
      const known = offers.get(offer.digest);
      offers.set(offer.digest, {
        ...offer,
        isBuilt: offer.isBuilt && known?.isBuilt !== false,
        namedAt: Math.max(offer.namedAt, known?.namedAt ?? 0),
        holders: [...(known?.holders ?? []), peer],
      });
    }
    return [...offers.values()].sort((a, b) => b.namedAt - a.namedAt);
  }

  /** The same repository at a peer. */
  repository(peer: Peer, reference: Reference): Repository {
    return new Repository(this.#parts, {
      endpoint: { url: peer.url, isMirror: true, name: peer.name },
      path: reference.path,
      access: 'pull',
      transport: this.#parts.peers.transport,
      query: { ns: reference.domain },
      attempts: peerLimits.attempts,
      redirects: 0,
      slowest: { bytesPerSecond: peerLimits.slowestBytes, graceMs: peerLimits.answerMs },
    });
  }

  /** Peers in an order of chance, so that no one of them serves all others. */
  async #awake(): Promise<Peer[]> {
    const { clock, random, log, peers } = this.#parts;
    const now = monotonicMs(clock);
    for (const [url, until] of this.#resting) if (until <= now) this.#resting.delete(url);
    let all: readonly Peer[] = [];
    try {
      all = await peers.list();
    } catch (error) {
      log.warn('the peers are not known; only registries are asked', { error });
    }
    const awake = all.filter((peer) => !this.#resting.has(peer.url.href)).slice(0, peerLimits.asked);
    for (let i = awake.length - 1; i > 0; i--) {
      const j = random.int(i + 1);
      [awake[i], awake[j]] = [awake[j]!, awake[i]!];
    }
    return awake;
  }

  async #ask(peer: Peer, reference: Reference, signal: AbortSignal | undefined): Promise<Answer | undefined> {
    const { clock, log } = this.#parts;
    const limit = limitTime(clock, peerLimits.answerMs, signal);
    try {
      const target = `manifests/${reference.digest ?? reference.tag ?? 'latest'}`;
      const answer = await this.repository(peer, reference).send({ method: 'HEAD', target, signal: limit.signal });
      answer.drop();
      const { headers } = answer;
      const digest = headers['docker-content-digest'] ?? '';
      if (!isDigest(digest) || (reference.digest ?? digest) !== digest) throw new Fault('invalid', `it answered with the digest ${JSON.stringify(digest)}`);
      return { peer, digest, isBuilt: headers[offerHeaders.origin] === 'built', namedAt: Number(headers[offerHeaders.namedAt]) || 0 };
    } catch (error) {
      if (signal?.aborted) throw new Fault('canceled', `asking peers for ${reference.path} was canceled`, { cause: error });
      if (isFault(error, 'not-found')) return undefined;
      this.#resting.set(peer.url.href, monotonicMs(clock) + peerLimits.restMs);
      log.info('a peer does not answer; it is not asked for a while', { peer: peer.name, url: peer.url.href, error: messageOf(error) });
      return undefined;
    } finally {
      limit.end();
    }
  }
}
