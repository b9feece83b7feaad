/**
 * From nothing to a cluster that works: `up` on a fresh root of an installed host, until the first pod is Running and a name
 * resolves in it. The pod's image is loaded between, from an archive; that time is told apart and is no part of the total.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launcher } from './gantry.ts';
import { imageName } from './image.ts';
import { sleepingPod } from './kube.ts';
import { command, now, summarize, type Finished } from './measure.ts';
import { dockerAt } from './peer.ts';
import type { Bench, Part } from './types.ts';

export const up: Part = { name: 'up', about: './gantry up, until the first pod is Running and DNS answers', alone: true, run };

const manifest = JSON.stringify(sleepingPod('first'));

/** Each stage's times, and their `total`. */
async function run(bench: Bench): Promise<void> {
  const samples = new Map<string, number[]>();
  for (let round = -1; round < bench.plan.iterations; round++) {
    bench.signal.throwIfAborted();
    const stages = await once(bench.archive);
    if (round < 0) continue;
    for (const [name, ms] of Object.entries(stages)) samples.set(name, [...(samples.get(name) ?? []), ms]);
  }
  const values = Object.fromEntries([...samples].map(([name, list]) => [name, summarize(list)]));
  bench.report({ subject: 'up', unit: 'ms', values, goal: { who: 'total', median: 2000 } });
}

async function once(archive: Buffer): Promise<Record<string, number>> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-bench-up-'));
  try {
    const up = await command(launcher, ['up', '--root', root]);
    const image = await dockerAt(join(root, 'run', 'docker.sock')).dockerWithInput(archive, 'import', '-', imageName);
    const env = { ...process.env, KUBECONFIG: join(root, 'cluster', 'admin.kubeconfig') };
    const kubectl = (args: string[], input?: string): Promise<Finished> => command('kubectl', args, input === undefined ? { env } : { env, input: Buffer.from(input) });
    const began = now();
    const apply = await kubectl(['apply', '--validate=false', '-f', '-'], manifest);
    const wait = await kubectl(['wait', '--for=jsonpath={.status.phase}=Running', '--timeout=60s', 'pod/first']);
    const running = now() - began;
    const dns = await kubectl(['exec', 'first', '--', 'nslookup', 'kubernetes.default.svc.cluster.local.']);
    return { total: up.ms + running + dns.ms, up: up.ms, 'kubectl apply': apply.ms, 'until Running': wait.ms, 'DNS answers': dns.ms, '(image import)': image.ms };
  } finally {
    await command(launcher, ['down', '--purge', '--root', root]);
    rmSync(root, { recursive: true, force: true });
  }
}
