/**
 * The words of the bench.
 *
 * A *part* is what can be asked for by its name; it measures one or a few *subjects* (`run`, `exec`, …) and reports each as a
 * *figure*: for each *who* (a peer, or a stage) a summary of its samples. A figure may have a *goal* (issue 3, section 5),
 * which is judged on Gantry's own summary, or on its ratio to the peer's.
 * Parts run in the order of their list. Engines are started when the first part asks for them, and ended with the last.
 */
import type { GantryPeer } from './gantry.ts';
import type { Plan, Summary } from './measure.ts';
import type { Peer } from './peer.ts';

export interface Part {
  name: string;
  /** One line, for `--help`. */
  about: string;
  /** What is measured would suffer from engines that idle beside it: they are ended first. */
  alone?: true;
  run(bench: Bench): Promise<void>;
}

/** What a part is given. */
export interface Bench {
  plan: Plan;
  signal: AbortSignal;
  /** dockerd (where it starts here) and Gantry, both with the image. */
  peers(): Promise<readonly Peer[]>;
  gantry(): Promise<GantryPeer>;
  /** The image's root file system. */
  archive: Buffer;
  report(figure: Figure): void;
  /** A line for who watches; no part of the report. */
  say(line: string): void;
}

export interface Figure {
  subject: string;
  unit: Unit;
  values: Record<string, Summary>;
  goal?: Goal;
}

export type Unit = 'ms' | 'MiB' | '%' | 'pods/s' | 'requests/s';

/** All that are given must hold. Less is better but for rates, which are at least so much. */
export interface Goal {
  /** Whose summary it is about; `gantry` where it is not given. */
  who?: string;
  median?: number;
  p99?: number;
  /** Gantry's median to that of the other peer. */
  ratio?: number;
}
