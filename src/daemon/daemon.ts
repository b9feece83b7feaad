import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DaemonFile } from '#api/gantry/status.ts';
import { startControllers, type ControllersOptions } from '#cluster/controllers/index.ts';
import { startScheduler } from '#cluster/scheduler/scheduler.ts';
import { systemClock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { linuxKernel } from '#sys/linux.ts';
import { openCluster, type Cluster } from './cluster.ts';
import { addressIn, clusterNetwork } from './cluster-network.ts';
import type { DaemonConfig } from './config.ts';
import { serveControl } from './control.ts';
import { openClusterDns } from './dns.ts';
import { openEngineDoor } from './engine.ts';
import { lockRoot } from './lock.ts';
import { component } from './names.ts';
import { askNodes, openGround, openNodes, openSights } from './nodes/open.ts';
import { giveBackAtRest } from './rest.ts';
import { openRuntime, type Surroundings } from './runtime.ts';
import { statusOf } from './status.ts';

export interface Daemon {
  file: DaemonFile;
  /** Closes the doors and lets go; containers and pods run on. */
  stop(): Promise<void>;
}

/** Starts all of Gantry, in order; `stage` is told what is being done. */
export async function startDaemon(config: DaemonConfig, log: Logger, stage: (text: string) => void): Promise<Daemon> {
  const kernel = linuxKernel();
  const startedAt = systemClock.now();
  const around: Surroundings = {
    root: config.root,
    instance: config.instance,
    kernel,
    clock: systemClock,
    random: systemRandom,
    log,
    registryMirrors: config.registryMirrors,
    insecureRegistries: config.insecureRegistries,
  };
  lockRoot(config.root, kernel);
  stage('opening the runtime');
  const runtime = await openRuntime(around, { engine: true });
  stage('opening the engine');
  mkdirSync(dirname(config.dockerSocket), { recursive: true, mode: 0o711 });
  const engine = await openEngineDoor(around, runtime, config.dockerSocket);
  stage('starting the API server');
  const network = clusterNetwork(join(config.root, 'cluster', 'network.json'), kernel);
  const gateway = addressIn(network.clusterCidr, 1);
  const ground = await openGround({ config, around, runtime, network });
  const cluster = await openCluster(around, network, gateway, config);
  const stopping = new AbortController();
  const dns = await openClusterDns(around, cluster.api, network, gateway, stopping.signal);
  const sights = ground.roster.agents ? openSights(around, cluster, network, stopping.signal) : undefined;
  const loops = startLoops(around, cluster, { ...(sights && { sights }), nodeGraceMs: config.nodeGraceMs, signal: stopping.signal });
  stage('starting the nodes');
  const nodes = await openNodes({ config, around, runtime, cluster, network, ground });
  const file = describe(config, around, cluster);
  const status = () => statusOf({ config, startedAt, engine: engine.engine, file, client: cluster.api.localClient(component('status')), runtime, kernel, nodes });
  const control = await serveControl(file.control, { status, nodes: (request) => askNodes(nodes, request) });
  writeDaemonFile(config.root, file);
  const rest = giveBackAtRest(kernel.memory, systemClock);
  log.info('ready', { docker: file.docker, api: file.apiUrl });
  return {
    file,
    async stop() {
      rest.cancel();
      rmSync(join(config.root, 'run', 'daemon.json'), { force: true });
      await control.close();
      await engine.close();
      await nodes.close();
      stopping.abort();
      await loops;
      await dns.close();
      await cluster.close();
      await runtime.close();
    },
  };
}

/** The cluster's control loops; resolves when the signal has ended them all. */
async function startLoops(around: Surroundings, cluster: Cluster, options: Pick<ControllersOptions, 'sights' | 'nodeGraceMs' | 'signal'>): Promise<void> {
  const { signal } = options;
  const rootCa = cluster.api.authority.certificate;
  const controllers = startControllers({ ...around, ...options, client: cluster.api.localClient(component('controllers')), rootCa });
  const scheduler = startScheduler({ ...around, client: cluster.api.localClient(component('scheduler')), signal });
  await Promise.all([controllers, scheduler]);
}

function describe(config: DaemonConfig, around: Surroundings, cluster: { url: string; kubeconfig: string }): DaemonFile {
  return {
    pid: process.pid,
    startTime: String(around.kernel.processes.startTime(process.pid)),
    control: join(config.root, 'run', 'control.sock'),
    docker: config.dockerSocket,
    apiUrl: cluster.url,
    kubeconfig: cluster.kubeconfig,
  };
}

function writeDaemonFile(root: string, file: DaemonFile): void {
  const path = join(root, 'run', 'daemon.json');
  if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, JSON.stringify(file, null, 2), { mode: 0o644 });
  renameSync(`${path}.new`, path);
}
