import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startNodeRoutes } from '#cluster/proxy/routes.ts';
import { systemClock } from '#lib/clock.ts';
import { createLogger, type Logger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { linuxKernel } from '#sys/linux.ts';
import { instanceName, parseRoot } from '../config.ts';
import { lockRoot } from '../lock.ts';
import { logWriter } from '../log-file.ts';
import { openNode, remoteClients } from '../node.ts';
import { runInBackground } from '../process.ts';
import { giveBackAtRest } from '../rest.ts';
import { openRuntime, type Surroundings } from '../runtime.ts';
import { agentLog, readJoin, writeAgent } from './files.ts';
import { agentPeers } from './images.ts';
import { openAgentPods, uplink } from './network.ts';
import type { AgentFile, JoinFile } from './types.ts';

/** The agent's own process, in the node's network namespace: runs until SIGTERM or SIGINT. Pods run on without it. */
export async function agentMain(args: readonly string[]): Promise<number> {
  const { root } = parseRoot(args, process.env, {});
  const file = readJoin(root);
  mkdirSync(join(root, 'run'), { recursive: true, mode: 0o711 });
  const log = createLogger({ write: logWriter(agentLog(root)), level: file.debug ? 'debug' : 'info' });
  return runInBackground(log, (stage) => startAgent(root, file, log, stage));
}

async function startAgent(root: string, file: JoinFile, log: Logger, stage: (text: string) => void): Promise<{ ready: AgentFile; stop(): Promise<void> }> {
  const kernel = linuxKernel();
  const around: Surroundings = {
    root,
    instance: instanceName(root),
    kernel,
    clock: systemClock,
    random: systemRandom,
    log,
    registryMirrors: file.registryMirrors,
    insecureRegistries: file.insecureRegistries,
  };
  lockRoot(root, kernel);
  const ready: AgentFile = { pid: process.pid, startTime: String(kernel.processes.startTime(process.pid)), server: file.access.server, imageStore: file.imageStore };
  writeAgent(root, ready);
  stage('opening the runtime');
  const stopping = new AbortController();
  const runtime = await openRuntime(around, { engine: false, peers: agentPeers(around, file, stopping.signal) });
  const podNetwork = await openAgentPods(runtime, file.podCidr);
  stage('joining the cluster');
  const place = { serviceCidr: file.serviceCidr, turned: { sources: `!= ${file.podCidr}`, link: uplink } };
  const clients = remoteClients(file.access);
  const node = await openNode({ ...file, around, runtime, clients, serving: file.access.serving, clientCa: file.access.ca, podNetwork, place, keepNode: false });
  await startNodeRoutes({
    client: clients.kubelet,
    clock: around.clock,
    log,
    table: () => kernel.netlinks.open(),
    nodeName: file.name,
    clusterCidr: file.clusterCidr,
    gateway: file.gateway,
    signal: stopping.signal,
  });
  const rest = giveBackAtRest(kernel.memory, systemClock);
  log.info('ready', { node: file.name, address: file.address });
  return {
    ready,
    async stop() {
      rest.cancel();
      stopping.abort();
      await node.stop();
      await runtime.close();
    },
  };
}
