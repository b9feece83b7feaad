/**
 * npm run bench [-- name…] [-- --iterations 15 --warm-up 3 --json PATH]: measures Gantry, beside Debian's dockerd where it
 * has the same thing, prints a table and removes all that it made. Names: version run run-no-network exec ps status up idle.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { benchmarks, type Benchmark } from './benchmarks.ts';
import { startDockerd } from './dockerd.ts';
import { launcher, startGantry, type GantryPeer } from './gantry.ts';
import { measureIdle, type Idle } from './idle.ts';
import { imageName, rootArchive } from './image.ts';
import { command, interleave, type Plan, type Summary } from './measure.ts';
import type { Peer } from './peer.ts';
import { benchUp } from './up.ts';

interface Report {
  machine: string;
  plan: Plan;
  peers: Record<string, string>;
  /** Benchmark -> peer or stage -> milliseconds. */
  times: Record<string, Record<string, Summary>>;
  idle: Record<string, Idle>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { iterations: { type: 'string', default: '15' }, 'warm-up': { type: 'string', default: '3' }, json: { type: 'string' } },
});
const plan: Plan = { iterations: Number(values.iterations), warmUp: Number(values['warm-up']) };
const wanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name);
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function machine(): string {
  const [cpu] = cpus();
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return `${cpus().length} x ${cpu?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, ${system}, Node ${process.version}`;
}

function printTimes(name: string, times: Record<string, Summary>): void {
  const dockerd = times['dockerd']?.median;
  for (const [who, { median, least, most }] of Object.entries(times)) {
    const ratio = who === 'gantry' && dockerd ? `   ${(median / dockerd).toFixed(2)} of dockerd` : '';
    print(`${name.padEnd(16)}${who.padEnd(18)}${median.toFixed(1).padStart(8)} ms   (${least.toFixed(1)} to ${most.toFixed(1)})${ratio}`);
  }
}

async function compare(benchmark: Benchmark, peers: readonly Peer[]): Promise<Record<string, Summary>> {
  const after: (() => Promise<unknown>)[] = [];
  try {
    for (const peer of peers) if (benchmark.prepare) after.push(await benchmark.prepare(peer));
    const turns = peers.map((peer) => ({ name: peer.name, once: async () => (await peer.docker(...benchmark.command)).ms }));
    return await interleave(turns, plan, interrupted.signal);
  } finally {
    for (const step of after) await step();
  }
}

async function status(gantry: GantryPeer): Promise<Record<string, Summary>> {
  const once = async (): Promise<number> => (await command(launcher, ['status', '--root', gantry.root])).ms;
  return interleave([{ name: 'gantry', once }], plan, interrupted.signal);
}

async function withPeers(archive: Buffer, report: Report, record: (name: string, times: Record<string, Summary>) => void): Promise<void> {
  const peers: Peer[] = [];
  try {
    const dockerd = await startDockerd().catch((error: unknown) => print(`dockerd is left out: ${String(error)}`));
    if (dockerd) peers.push(dockerd);
    const gantry = await startGantry();
    peers.push(gantry);
    for (const peer of peers) {
      report.peers[peer.name] = peer.version;
      await peer.dockerWithInput(archive, 'import', '-', imageName);
    }
    for (const benchmark of benchmarks.filter((b) => wanted(b.name))) record(benchmark.name, await compare(benchmark, peers));
    if (wanted('status')) record('status', await status(gantry));
    for (const peer of wanted('idle') ? peers : []) {
      const idle = (report.idle[peer.name] = await measureIdle(peer));
      print(`${'idle'.padEnd(16)}${peer.name.padEnd(18)}${String(idle.residentMiB).padStart(8)} MiB in ${idle.processes} process(es), ${idle.cpuPercent} % of a core`);
    }
  } finally {
    for (const peer of peers) await peer.end();
  }
}

async function main(): Promise<void> {
  const report: Report = { machine: machine(), plan, peers: {}, times: {}, idle: {} };
  const record = (name: string, times: Record<string, Summary>): void => {
    report.times[name] = times;
    printTimes(name, times);
  };
  const archive = rootArchive();
  print(`${report.machine}; medians of ${plan.iterations} (least to most)`);
  if (positionals.some((name) => name !== 'up') || positionals.length === 0) await withPeers(archive, report, record);
  if (wanted('up')) record('up', await benchUp(archive, plan, interrupted.signal));
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

await main();
