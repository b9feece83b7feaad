/**
 * The nodes of this machine. One node lives in the daemon, or each of several is an *agent*: a process of its own
 * (`gantry agent`) with a network namespace, an address, a runtime and a certificate of its own. It knows the cluster by
 * the API server alone, as a remote machine would.
 *
 * The *roster* (`<root>/cluster/nodes.json`) says which nodes there are. A node's *number* gives its address and the range
 * of its pods. Its *place* is a network namespace, joined to the *node network* (a bridge of the host), and a directory
 * `<root>/nodes/<name>` with everything of it: `join.json` (how it finds the API server and proves itself; only root reads
 * it), `runtime`, `kubelet`, `run`.
 *
 * Life of a node: on the roster -> place -> joining file -> agent starts -> registers. An agent that ended is
 * started again by `up` or `node start`, never by the daemon alone: what the cluster does without it is then to be seen.
 * Agents and their pods outlive the daemon, pods outlive their agent. A node that *leaves*: agent ended, containers ended,
 * place taken away, its pods and its Node deleted, then it is off the roster.
 */
import type { KeyPair } from '#cluster/apiserver/pki/authority.ts';

export interface RosterNode {
  name: string;
  /** From 1; unique while the node is there. */
  number: number;
}

export interface Roster {
  /** Whether nodes are agents; else the one node is in the daemon. */
  agents: boolean;
  nodes: readonly RosterNode[];
  /** Of the former roster, not yet gone altogether. */
  leaving: readonly LeavingNode[];
}

export interface LeavingNode extends RosterNode {
  /** Whether it was an agent. */
  agent: boolean;
}

/** How a node speaks with the API server and serves it: certificates and keys are PEM. */
export interface NodeAccess {
  /** URL of the API server. */
  server: string;
  ca: string;
  kubelet: KeyPair;
  proxy: KeyPair;
  serving: KeyPair;
}

/** `join.json`: all that an agent starts from. */
export interface JoinFile {
  name: string;
  access: NodeAccess;
  address: string;
  /** Where the host is on the node network: the way to everything else. */
  gateway: string;
  podCidr: string;
  /** URL of the engine's image store, which is no node's. */
  imageStore: string;
  /** All nodes and pods of the cluster. */
  clusterCidr: string;
  serviceCidr: string;
  clusterDns: string;
  clusterDomain: string;
  registryMirrors: readonly string[];
  insecureRegistries: readonly string[];
  debug: boolean;
}

/** `run/agent.json`: the process, and whom it speaks with. */
export interface AgentFile {
  pid: number;
  /** Clock ticks since boot at which it began. */
  startTime: string;
  server: string;
  imageStore: string;
}

/** What the daemon does with the nodes of this machine. */
export interface Nodes {
  /** As the roster has them; `pid` is undefined where no agent runs. */
  list(): readonly { name: string; address: string; pid: number | undefined }[];
  /** Starts the agents that are missing; their names. */
  startMissing(): Promise<string[]>;
  /** Adds nodes, or removes the newest, until there are so many; the names of those. Fault `conflict` where that takes a new start. */
  scale(count: number): Promise<string[]>;
  /** Adds a node, of a free name where none is given. */
  add(name: string | undefined): Promise<string>;
  remove(name: string): Promise<void>;
  /** Ends the agent; its pods run on. */
  stop(name: string): Promise<void>;
  start(name: string): Promise<void>;
  /** Lets go: agents run on. */
  close(): Promise<void>;
}

export const nodeLimits = {
  /** Nodes of one machine: each takes a /24 of the cluster's /16 for its pods. */
  nodes: 100,
  /** Characters of a name, which is a DNS label and part of paths. */
  nameCharacters: 40,
} as const;
