/** Exponential back-off: `first` ms, doubled at each failure, at most `most` ms. */
export class Backoff {
  readonly #first: number;
  readonly #most: number;
  #next: number;

  constructor(first: number, most: number) {
    this.#first = first;
    this.#most = most;
    this.#next = first;
  }

  /** How long to wait now, in milliseconds. */
  next(): number {
    const wait = this.#next;
    this.#next = Math.min(this.#most, this.#next * 2);
    return wait;
  }

  reset(): void {
    this.#next = this.#first;
  }
}
