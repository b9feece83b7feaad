/**
 * npm run bench [-- part…] [-- --iterations 15 --warm-up 3 --json PATH]: measures Gantry, beside Debian's dockerd and
 * kube-apiserver where they have the same thing, prints figures with their goals, and removes all that it made.
 * `npm run bench -- --help` lists the parts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { buildApiPeer } from './api/part.ts';
import { Engines } from './engines.ts';
import { lines } from './figures.ts';
import { rootArchive } from './image.ts';
import { parts } from './parts.ts';
import type { Bench, Figure } from './types.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { iterations: { type: 'string', default: '15' }, 'warm-up': { type: 'string', default: '3' }, json: { type: 'string' }, help: { type: 'boolean' } },
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function machine(): string {
  const [cpu] = cpus();
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return `${cpus().length} x ${cpu?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, ${system}, Node ${process.version}`;
}

async function main(): Promise<void> {
  if (values.help) return [...parts, buildApiPeer].forEach(({ name, about }) => print(`${name.padEnd(22)}${about}`));
  const unknown = positionals.filter((name) => ![...parts, buildApiPeer].some((part) => part.name === name));
  if (unknown.length > 0) throw new Error(`no part is called ${unknown.join(', ')}: --help lists them`);
  const chosen = positionals.length === 0 ? parts : [...parts, buildApiPeer].filter(({ name }) => positionals.includes(name));

  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
  const archive = rootArchive();
  const engines = new Engines(archive, print);
  const figures: Figure[] = [];
  const bench: Bench = {
    plan: { iterations: Number(values.iterations), warmUp: Number(values['warm-up']) },
    signal: interrupted.signal,
    peers: () => engines.all(),
    gantry: () => engines.gantry(),
    archive,
    report: (figure) => {
      figures.push(figure);
      lines(figure).forEach(print);
    },
    say: print,
  };
  print(`${machine()}; medians of ${bench.plan.iterations} (least to most)`);
  try {
    for (const part of chosen) {
      interrupted.signal.throwIfAborted();
      if (part.alone) await engines.end();
      await part.run(bench);
    }
  } finally {
    await engines.end();
    if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine: machine(), plan: bench.plan, versions: engines.versions, figures }, null, 2)}\n`);
  }
}

await main();
