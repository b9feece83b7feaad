/** What `./gantry node …` (and `up`, of a daemon that runs) asks the daemon by `POST /nodes`. */
export interface NodeRequest {
  do: 'add' | 'remove' | 'stop' | 'start' | 'start-missing' | 'scale';
  /** Which one; of `add`, what it is to be called, where that matters. */
  name?: string;
  /** Of `scale`: how many there are to be. */
  count?: number;
}

/** The nodes that it was done to. */
export interface NodeAnswer {
  nodes: string[];
}

/** The answer to a request that failed. */
export interface ControlError {
  error: string;
}
