/**
 * What the parts of the chaos program share. A *round*: load by the real clients, the kill at a moment nobody chose, `up`, checks of
 * all that must hold, and an end of what the round made. While the daemon is *being killed* a client may fail: what it asked for is
 * then done wholly or not at all. At any other time its failure is the program's, also while a node's agent is killed: the daemon answers on.
 */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '#lib/random.ts';
import { TestDaemon, type Result } from '../../support/daemon.ts';

/** How a request went: `cut` where the daemon's end may have been in its way. */
export interface Outcome extends Result {
  cut: boolean;
}

/** What a round kills; nothing in a quiet one. */
export interface Kill {
  daemon: boolean;
  /** Nodes whose agents are killed. */
  nodes: readonly string[];
}

/** A part of the load. Objects of one round carry its number in their names. */
export interface Actor {
  name: string;
  /** One thing after another until `world.killed`; what it was told is kept for the check. */
  act(world: World, round: number): Promise<void>;
  /** After `up`: fails where something is not as it was acknowledged; then takes away what the round made. */
  check(world: World, round: number): Promise<void>;
}

export class World {
  readonly daemon: TestDaemon;
  readonly random: Random;
  /** A directory that containers write marks to: how often each was started. */
  readonly marks: string;
  /** Set at the kill, where the load ends; a round begins without. */
  killed = false;
  kill: Kill = { daemon: true, nodes: [] };
  /** Where the pod `count` is, that lives through all rounds. */
  countNode = '';
  #count = 0;

  constructor(daemon: TestDaemon, random: Random) {
    this.daemon = daemon;
    this.random = random;
    this.marks = mkdtempSync(join(tmpdir(), 'gantry-marks-'));
  }

  /** A number that no other object of this run has. */
  next(): number {
    return ++this.#count;
  }

  async ask(program: string, args: readonly string[], input?: string): Promise<Outcome> {
    const result = await this.daemon.run(program, args, input);
    return { ...result, cut: result.code !== 0 && this.killed && this.kill.daemon };
  }

  /** Whether this round's kill leaves a client its connection: to the engine, or to a pod on `node`. */
  survives(node?: string): boolean {
    return !this.kill.daemon && (node === undefined || !this.kill.nodes.includes(node));
  }

  /** A request that must succeed, unless the kill cut it. */
  async want(program: string, args: readonly string[], input?: string): Promise<Outcome> {
    const outcome = await this.ask(program, args, input);
    if (!outcome.cut) assert.equal(outcome.code, 0, `${program} ${args.join(' ')}: ${outcome.stderr}${outcome.stdout}`);
    return outcome;
  }

  docker(...args: string[]): Promise<string> {
    return this.daemon.ok('docker', ...args);
  }

  kubectl(...args: string[]): Promise<string> {
    return this.daemon.ok('kubectl', ...args);
  }

  /** How often what marks `name` was started. */
  starts(name: string): number {
    try {
      return readFileSync(join(this.marks, name), 'utf8').split('\n').length - 1;
    } catch {
      return 0;
    }
  }

  note(text: string): void {
    appendFileSync(join(this.marks, '.notes'), `${new Date().toISOString()} ${text}\n`);
  }

  end(): void {
    rmSync(this.marks, { recursive: true, force: true });
  }
}

/** A container's script that marks its start under `name` in /marks, and prints `lines` numbered lines. */
export function marking(name: string, lines: number, then: string): string {
  return `echo x >> /marks/${name}; i=0; while [ $i -lt ${lines} ]; do echo line $i; i=$((i+1)); done; ${then}`;
}

/** Fails where the text is not `line 0`, `line 1`, … each once; gives how many. */
export function whole(text: string, what: string): number {
  const lines = text.trim() === '' ? [] : text.trim().split(/\r?\n/);
  lines.forEach((line, i) => assert.equal(line, `line ${i}`, `${what}: line ${i} of ${lines.length}`));
  return lines.length;
}
