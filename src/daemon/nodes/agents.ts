import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeClient } from '#client/kube/types.ts';
import { forEachLimit, KeyedMutex } from '#lib/async.ts';
import { Fault } from '#lib/errors.ts';
import type { Cluster } from '../cluster.ts';
import { addressIn, type ClusterNetwork } from '../cluster-network.ts';
import { instanceName } from '../config.ts';
import { clusterDomain, dnsAddress } from '../dns.ts';
import { agentsBelow, endProcess } from '../ending.ts';
import { launch } from '../launch.ts';
import { issueAccess } from '../node.ts';
import type { Runtime, Surroundings } from '../runtime.ts';
import { removeState, teardown } from '../teardown.ts';
import { agentLog, livingAgent, nodeRoot, writeJoin } from './files.ts';
import { nodeAddress, placeNode, podCidrOf, unplaceNode } from './network.ts';
import { emptyNode, hasNode, removeFromCluster } from './objects.ts';
import { leavingOf, nextNode, writeRoster } from './roster.ts';
import type { AgentFile, JoinFile, LeavingNode, Nodes, Roster, RosterNode } from './types.ts';

export interface AgentsParts {
  around: Surroundings;
  runtime: Runtime;
  cluster: Cluster;
  network: ClusterNetwork;
  /** URL of the engine's. */
  imageStore: string;
  /** May do all. */
  client: KubeClient;
  rosterFile: string;
  roster: Roster;
  debug: boolean;
}

/** Agents that start at a time: each is a second of a core. */
const startsAtOnce = 4;

/** Nodes that are processes of their own. */
export class AgentNodes implements Nodes {
  readonly #parts: AgentsParts;
  readonly #mutex = new KeyedMutex();
  #roster: Roster;

  constructor(parts: AgentsParts) {
    this.#parts = parts;
    this.#roster = parts.roster;
  }

  list(): { name: string; address: string; pid: number | undefined }[] {
    return this.#roster.nodes.map((node) => ({ name: node.name, address: this.#address(node), pid: this.#living(node.name)?.pid }));
  }

  async startMissing(): Promise<string[]> {
    const started: string[] = [];
    await forEachLimit(this.#roster.nodes, startsAtOnce, async ({ name }) => {
      if (await this.#started(name)) started.push(name);
    });
    return started;
  }

  async scale(count: number): Promise<string[]> {
    if (count < 2) throw new Fault('conflict', 'the nodes are agents: ./gantry down, then ./gantry up --nodes 1, makes one that is in the daemon');
    const changed: string[] = [];
    while (this.#roster.nodes.length < count) changed.push(await this.add(undefined));
    while (this.#roster.nodes.length > count) {
      const name = this.#roster.nodes.at(-1)?.name ?? '';
      await this.remove(name);
      changed.push(name);
    }
    return changed;
  }

  add(name: string | undefined): Promise<string> {
    return this.#mutex.run('', async () => {
      const node = nextNode(this.#roster.nodes, name);
      this.#write({ ...this.#roster, nodes: [...this.#roster.nodes, node] });
      try {
        await this.start(node.name);
      } catch (error) {
        await this.#leave(node);
        throw error;
      }
      return node.name;
    });
  }

  remove(name: string): Promise<void> {
    return this.#mutex.run('', async () => {
      const node = this.#known(name);
      if (this.#roster.nodes.length === 1) throw new Fault('conflict', `node ${name} is the only one: add another before, or end all with ./gantry down`);
      await this.#leave(node);
    });
  }

  stop(name: string): Promise<void> {
    this.#known(name);
    return this.#mutex.run(name, () => this.#end(name));
  }

  /** Of a node whose Node somebody deleted, the agent starts anew: it registers then. */
  async start(name: string): Promise<void> {
    if (this.#living(name) && !(await hasNode(this.#parts.client, name))) await this.stop(name);
    await this.#started(name);
  }

  /** Ends what is left of nodes that are on the roster no more. */
  async finishLeaving(): Promise<void> {
    await Promise.all(this.#roster.leaving.map((node) => this.#clear(node)));
  }

  async close(): Promise<void> {}

  /** Whether it had to be started. */
  #started(name: string): Promise<boolean> {
    const node = this.#known(name);
    return this.#mutex.run(name, async () => {
      const { around, runtime, cluster, imageStore, debug } = this.#parts;
      const home = this.#home(name);
      const living = this.#living(name);
      if (living?.server === this.#server() && living.imageStore === imageStore) return false;
      // one that speaks with what is elsewhere now, or never got ready
      await this.#end(name);
      const path = await placeNode(runtime, name, this.#address(node));
      mkdirSync(join(home, 'run'), { recursive: true, mode: 0o711 });
      writeJoin(home, await this.#joinFile(node));
      const { kernel } = around;
      const agent = launch<AgentFile>('agent', ['--root', home, ...(debug ? ['--debug'] : [])], {
        processes: kernel.processes,
        program: process.argv[1] ?? '',
        log: agentLog(home),
        within: { namespaces: kernel.namespaces, path },
      });
      const { pid } = await agent.ready;
      around.log.info('a node is up', { node: name, pid, api: cluster.url });
      return true;
    });
  }

  /** Pods bind to what is there: a node leaves the roster first, and all of it is gone at the end. */
  async #leave(node: RosterNode): Promise<void> {
    const leaving = leavingOf(node, this.#roster);
    this.#write({ ...this.#roster, nodes: this.#roster.nodes.filter(({ name }) => name !== node.name), leaving: [...this.#roster.leaving, leaving] });
    await this.#clear(leaving);
  }

  async #clear(node: LeavingNode): Promise<void> {
    const { around, runtime, client } = this.#parts;
    const home = this.#home(node.name);
    if (this.#roster.agents && this.#living(node.name)) await emptyNode(client, node.name, around.clock);
    await teardown({ root: home, instance: instanceName(home) }, around.kernel, around.clock);
    await unplaceNode(runtime, node.name);
    removeState(home);
    await removeFromCluster(client, node.name, this.#roster);
    this.#write({ ...this.#roster, leaving: this.#roster.leaving.filter(({ name }) => name !== node.name) });
  }

  async #end(name: string): Promise<void> {
    const { kernel, clock } = this.#parts.around;
    for (const pid of agentsBelow(this.#home(name))) await endProcess(pid, kernel.processes, clock);
  }

  async #joinFile(node: RosterNode): Promise<JoinFile> {
    const { around, cluster, network, imageStore, debug } = this.#parts;
    const address = this.#address(node);
    return {
      name: node.name,
      access: await issueAccess(cluster.api.authority, this.#server(), node.name, address),
      address,
      gateway: addressIn(network.clusterCidr, 1),
      podCidr: podCidrOf(network, node.number),
      imageStore,
      clusterCidr: network.clusterCidr,
      serviceCidr: network.serviceCidr,
      clusterDns: dnsAddress(network),
      clusterDomain,
      registryMirrors: around.registryMirrors,
      insecureRegistries: around.insecureRegistries,
      debug,
    };
  }

  /** As nodes reach it. */
  #server(): string {
    return `https://${addressIn(this.#parts.network.clusterCidr, 1)}:${this.#parts.cluster.port}`;
  }

  #living(name: string): AgentFile | undefined {
    return livingAgent(this.#home(name), this.#parts.around.kernel.processes);
  }

  #home(name: string): string {
    return nodeRoot(this.#parts.around.root, name);
  }

  #address(node: RosterNode): string {
    return nodeAddress(this.#parts.network, node.number);
  }

  #known(name: string): RosterNode {
    const node = this.#roster.nodes.find((candidate) => candidate.name === name);
    if (!node) throw new Fault('not-found', `there is no node ${name} here: ./gantry node ls lists them`);
    return node;
  }

  #write(roster: Roster): void {
    writeRoster(this.#parts.rosterFile, roster);
    this.#roster = roster;
  }
}
