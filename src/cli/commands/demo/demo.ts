import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readDaemonFile } from '#client/control/client.ts';
import { createDockerClient } from '#client/docker/client.ts';
import { unixTransport } from '#client/docker/unix.ts';
import { readKubeconfig } from '#client/kube/kubeconfig.ts';
import { httpKubeClient } from '#client/kube/http.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import { ownFile } from '#lib/own-modules.ts';
import { parseFlags } from '../../root.ts';
import type { CommandContext } from '../../types.ts';
import { baseName, ensureBase } from './base.ts';
import { buildService, services } from './build.ts';
import { applyManifests, awaitRollout, pageAddress } from './deploy.ts';
import { converse } from './converse.ts';
import type { DemoContext } from './types.ts';

/** Runs the example end to end: images from Dockerfiles, onto the cluster, a request through it. */
export async function demo(args: readonly string[], up: (args: readonly string[]) => Promise<number>): Promise<number> {
  const out = (text: string): void => void process.stdout.write(text);
  const command: CommandContext = { out, env: process.env };
  const { root } = parseFlags(args, command, { 'registry-mirror': { type: 'string', multiple: true }, 'api-port': { type: 'string' } });
  const began = systemClock.monotonic();
  await step('start Gantry', () => up(args));
  const file = readDaemonFile(root);
  if (!file) throw new Fault('internal', `the daemon at ${root} left no ${root}/run/daemon.json`);
  const context: DemoContext = {
    docker: createDockerClient(unixTransport(file.docker)),
    kube: httpKubeClient(await readKubeconfig(file.kubeconfig)),
    clock: systemClock,
    blog: exampleFolder(),
    say: (text) => out(`  ${text}\n`),
  };
  const timed = <T>(name: string, work: () => Promise<T>): Promise<T> => timedStep(out, name, work);
  await timed(`the base image ${baseName}`, () => ensureBase(context));
  const images = new Map<string, string>();
  for (const service of services) images.set(service, await timed(`build blog/${service}`, () => buildService(context, service)));
  await timed('apply the manifests', () => applyManifests(context, images));
  await timed('wait until every service is available', () => awaitRollout(context));
  const page = await pageAddress(context);
  const read = await timed('post a post and a comment, and read both back', () => converse(context, page));
  out(`\n${read}\nDone in ${seconds(began)}. Look further:\n`);
  const flag = root === '/var/lib/gantry' ? '' : ` --root ${root}`;
  for (const line of [`the page:  ${page}`, `eval "$(./gantry env${flag})"`, 'kubectl get pods,services -o wide', 'kubectl logs -f deployment/event-bus', 'docker ps', `./gantry status${flag}`]) out(`  ${line}\n`);
  return 0;
}

function exampleFolder(): string {
  const folder = fileURLToPath(ownFile('../examples/blog'));
  if (!existsSync(folder)) throw new Fault('precondition', `${folder} is missing: run the demo from a whole checkout`);
  return folder;
}

async function timedStep<T>(out: (text: string) => void, name: string, work: () => Promise<T>): Promise<T> {
  out(`• ${name}\n`);
  const began = systemClock.monotonic();
  const result = await step(name, work);
  out(`  ${seconds(began)}\n`);
  return result;
}

/** A failure says which step it was. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Fault(isFault(error) ? error.kind : 'internal', `the demo stopped at this step: ${name}: ${messageOf(error)}`, { cause: error });
  }
}

function seconds(began: bigint): string {
  return `${(Number(systemClock.monotonic() - began) / 1e9).toFixed(1)} s`;
}
