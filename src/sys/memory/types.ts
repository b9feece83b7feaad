/**
 * This process's own memory. *Resident* is what it holds of the machine's. After a burst of work much of that is free: the
 * engine of JavaScript pools the pages of a heap that was larger, and the C library keeps freed blocks for the next need.
 */
export interface Memory {
  /** Bytes. */
  resident(): number;
  /** Milliseconds of processor time that this process has used since its start, on all its threads. */
  worked(): number;
  /**
   * Gives what is free back to the machine, after a collection of all garbage. Takes some 100 ms, in which this process does
   * nothing else; the collection is left out where the process was started without `--expose-gc`.
   */
  giveBack(): void;
}
