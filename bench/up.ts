/**
 * From nothing to a cluster that works: `up` on a fresh root of an installed host, until the first pod is Running and a name
 * resolves in it. The pod's image is loaded between, from an archive; that time is told apart and is no part of the total.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launcher } from './gantry.ts';
import { imageName } from './image.ts';
import { command, now, summarize, type Finished, type Plan, type Summary } from './measure.ts';
import { dockerAt } from './peer.ts';

const manifest = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'first' },
  spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: imageName, imagePullPolicy: 'Never', command: ['sleep', '100000'] }] },
});

/** Each stage's times, by its name, and their `total`. */
export async function benchUp(archive: Buffer, plan: Plan, signal: AbortSignal): Promise<Record<string, Summary>> {
  const samples = new Map<string, number[]>();
  for (let round = -Math.min(plan.warmUp, 1); round < plan.iterations; round++) {
    signal.throwIfAborted();
    const stages = await once(archive);
    if (round < 0) continue;
    for (const [name, ms] of Object.entries(stages)) samples.set(name, [...(samples.get(name) ?? []), ms]);
  }
  return Object.fromEntries([...samples].map(([name, list]) => [name, summarize(list)]));
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
