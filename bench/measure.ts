/** Whole commands, timed as a user waits for them; the peers take turns, so that what the machine does meanwhile meets all. */
import { spawn } from 'node:child_process';
import { systemClock } from '#lib/clock.ts';

export interface Plan {
  /** Timed rounds; each runs every peer once. */
  iterations: number;
  /** Rounds before them whose times are dropped. */
  warmUp: number;
}

export interface Summary {
  median: number;
  least: number;
  most: number;
  /** The least sample that 99 of 100 do not exceed. */
  p99: number;
  samples: number[];
}

export interface Finished {
  stdout: string;
  stderr: string;
  /** Milliseconds from the start of the process to its end. */
  ms: number;
}

/** Milliseconds since some moment. */
export function now(): number {
  return Number(systemClock.monotonic()) / 1e6;
}

/** Runs a program to its end. Rejects with what it said where it fails. */
export function command(program: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv; input?: Buffer } = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const began = now();
    const child = spawn(program, [...args], { env: options.env ?? process.env, stdio: [options.input ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
    child.stdin?.end(options.input);
    child.on('error', reject);
    child.on('close', (code) => {
      const ms = now() - began;
      if (code === 0) resolve({ ...said, ms });
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}: ${said.stderr}${said.stdout}`));
    });
  });
}

/** A B A B …: a summary of each one's turns, by its name. Each `once` resolves to its sample. */
export async function interleave(peers: readonly { name: string; once(): Promise<number> }[], plan: Plan, signal: AbortSignal): Promise<Record<string, Summary>> {
  const samples = new Map(peers.map(({ name }) => [name, [] as number[]]));
  for (let round = -plan.warmUp; round < plan.iterations; round++) {
    for (const peer of peers) {
      signal.throwIfAborted();
      const sample = await peer.once();
      if (round >= 0) samples.get(peer.name)?.push(sample);
    }
  }
  return Object.fromEntries([...samples].map(([name, list]) => [name, summarize(list)]));
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (i: number): number => sorted[i] ?? 0;
  const round = (value: number): number => Math.round(value * 10) / 10;
  const middle = (sorted.length - 1) / 2;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  const p99 = at(Math.ceil(sorted.length * 0.99) - 1);
  return { median: round(median), least: round(at(0)), most: round(at(sorted.length - 1)), p99: round(p99), samples: samples.map(round) };
}

/** Does `count` things, at most `width` of them at a time. */
export async function parallel(count: number, width: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
