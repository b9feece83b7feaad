/**
 * Peers: the other image stores of the same cluster, each behind the read side of the distribution API (`../serve`).
 *
 * A peer proves by its certificate that it is of the cluster, and so is believed what no digest can prove: which image a
 * name means, whether a registry knows it, and since when. Everything else is verified by its digest, as of any registry.
 * What peers have under a name is an *offer* for each different digest, the newest first; its *holders* are the peers that
 * have just that. An offer is copied blob by blob, from one holder or another.
 *
 * A peer may be down, slow, wrong, or gone in the middle: each has a limit of time, the next one goes on where it stopped,
 * and one that did not answer is left in peace for a while.
 */
import type { HttpTransport } from '#lib/http-client.ts';
import type { Digest } from '#core/content/types.ts';

export interface Peer {
  /** As it is called in messages: the node's name. */
  name: string;
  /** Scheme, host and port. */
  url: URL;
}

/** Who the peers are now, and how they are spoken to (TLS with the cluster's certificates). */
export interface Peers {
  list(): Promise<readonly Peer[]>;
  transport: HttpTransport;
}

export interface PeerOffer {
  digest: Digest;
  /** False where the peer knows the name by a registry. */
  isBuilt: boolean;
  /** When the image got the name, ms since the epoch by the clock of whoever gave it. */
  namedAt: number;
  holders: readonly Peer[];
}

export const peerLimits = {
  /** Peers that are asked one question; with more, those listed first. */
  asked: 64,
  /** Milliseconds until a peer's connection stands. */
  connectMs: 2000,
  /** Milliseconds in which a peer must send something. */
  idleMs: 4000,
  /** Milliseconds until a peer has said what it has. */
  answerMs: 4000,
  /** Milliseconds that a peer which did not answer is not asked again. */
  restMs: 10_000,
  /** Bytes a second below which a transfer is given up, once `answerMs` are over. */
  slowestBytes: 256 * 1024,
  /** Attempts at one transfer from one peer. */
  attempts: 2,
} as const;

/** Headers of the answer to a manifest by its tag. */
export const offerHeaders = {
  /** `built` or `registry` */
  origin: 'gantry-image-origin',
  /** Milliseconds since the epoch. */
  namedAt: 'gantry-image-named-at',
} as const;
