/** `docker build` of the example's images by the classic builder: from nothing, after one changed line, and unchanged. */
import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { hostNodeImage } from '#cli/commands/demo/base-image.ts';
import { encodeTar } from '#lib/tar/write.ts';
import { interleave, now } from './measure.ts';
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

export const build: Part = { name: 'build', about: "docker build of the blog's images: no cache, one line changed, unchanged; all of them, one after the other", run };

async function run(bench: Bench): Promise<void> {
  const peers = await bench.peers();
  const { archive, changes } = hostNodeImage();
  const base = await buffer(Readable.from(encodeTar(archive), { objectMode: false }));
  const context = mkdtempSync(join(tmpdir(), 'gantry-bench-blog-'));
  try {
    cpSync(blog, context, { recursive: true });
    const services = readdirSync(context, { withFileTypes: true }).filter((e) => e.isDirectory() && e.name !== 'k8s').map((e) => join(context, e.name));
    for (const peer of peers) await peer.dockerWithInput(base, 'import', ...changes.flatMap((change) => ['--change', change]), '-', baseName);
    for (const { subject, flags, goal, change } of cases) {
      const turns = peers.map((peer) => ({ name: peer.name, once: () => buildAll(peer, services, flags, change) }));
      bench.report({ subject, unit: 'ms', values: await interleave(turns, { ...bench.plan, warmUp: 1 }, bench.signal), goal });
    }
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

async function buildAll(peer: Peer, services: readonly string[], flags: readonly string[], change: Case['change']): Promise<number> {
  if (change) services.forEach(change);
  const began = now();
  for (const service of services) await peer.docker('build', '--quiet', ...flags, '--tag', `bench-${service.slice(service.lastIndexOf('/') + 1)}`, service);
  return now() - began;
}
