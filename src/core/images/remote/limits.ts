export const registryLimits = {
  /** Redirects followed for one request. */
  redirects: 5,
  /** Bytes of an error body or a token that are read. */
  errorBytes: 64 * 1024,
  /** Attempts at one transfer. */
  attempts: 5,
  /** Milliseconds until the second attempt; doubled from then on, up to `retryMostMs`. */
  retryFirstMs: 300,
  retryMostMs: 5000,
  /** Milliseconds until an answer to what has no body begins. */
  answerMs: 60_000,
  /** Layers of one image transferred at the same time. */
  parallel: 3,
} as const;
