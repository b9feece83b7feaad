/**
 * `docker build` of the example's images by the classic builder: from nothing, after one changed line, and unchanged. Each round
 * builds the next of them.
 */
import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { hostNodeImage } from '#cli/commands/demo/base-image.ts';
import { encodeTar } from '#lib/tar/write.ts';
import { interleave } from './measure.ts';
import type { Peer } from './peer.ts';
import type { Bench, Goal, Part } from './types.ts';

const blog = join(import.meta.dirname, '..', 'examples', 'blog');
const baseName = 'node:24-slim';

interface Case {
  subject: string;
  flags: readonly string[];
  goal: Goal;
  /** Before each round. */
  change?: (service: string) => void;
}

let line = 0;

const cases: readonly Case[] = [
  { subject: 'build, no cache', flags: ['--no-cache'], goal: { ratio: 1 } },
  { subject: 'build, one line changed', flags: [], goal: { ratio: 1 }, change: (service) => appendFileSync(join(service, 'index.js'), `// ${line++}\n`) },
  { subject: 'build, unchanged', flags: [], goal: { ratio: 1 / 2 } },
];

export const build: Part = { name: 'build', about: "docker build of the blog's images, one after the other: no cache, one line changed, unchanged", run };

/** A peer with a copy of the sources of its own: what is changed for it is unchanged for the others. */
interface Builder {
  peer: Peer;
  services: string[];
}

async function run(bench: Bench): Promise<void> {
  const { archive, changes } = hostNodeImage();
  const base = await buffer(Readable.from(encodeTar(archive), { objectMode: false }));
  const builders: Builder[] = (await bench.peers()).map((peer) => ({ peer, services: sources() }));
  try {
    for (const { peer } of builders) {
      await peer.dockerWithInput(base, 'import', ...changes.flatMap((change) => ['--change', change]), '-', baseName);
    }
    for (const { subject, goal, ...rest } of cases) {
      // one of them built with no cache leaves its first steps to the others, whose next ones are then not in the cache
      for (const { peer, services } of builders) for (const service of services) await buildOne(peer, service, []);
      const turns = builders.map((builder) => ({ name: builder.peer.name, once: roundsOf(builder, rest) }));
      bench.report({ subject, unit: 'ms', values: await interleave(turns, { ...bench.plan, warmUp: 1 }, bench.signal), goal });
    }
  } finally {
    for (const { services } of builders) rmSync(dirname(services[0]!), { recursive: true, force: true });
  }
}

/** Directories of the services, in one of their own. */
function sources(): string[] {
  const copy = mkdtempSync(join(tmpdir(), 'gantry-bench-blog-'));
  cpSync(blog, copy, { recursive: true });
  return readdirSync(copy, { withFileTypes: true }).filter((e) => e.isDirectory() && e.name !== 'k8s').map((e) => join(copy, e.name));
}

function roundsOf({ peer, services }: Builder, { flags, change }: Pick<Case, 'flags' | 'change'>): () => Promise<number> {
  let round = 0;
  return async () => {
    const service = services[round++ % services.length]!;
    change?.(service);
    return buildOne(peer, service, flags);
  };
}

async function buildOne(peer: Peer, service: string, flags: readonly string[]): Promise<number> {
  return (await peer.docker('build', '--quiet', ...flags, '--tag', `bench-${basename(service)}`, service)).ms;
}
