/**
 * The kubelet: the agent of one node. It meets the API server only through the client, and the machine only through
 * the core rooms; so it runs as well in the daemon as in a process of its own.
 *
 * A *pod* that is bound to this node gets one *worker*, which is serial and lives until nothing of the pod is left.
 * Each turn it *observes* (what runs, what probes say, what time it is), *plans* (a list of operations, each with its
 * cause; a pure function) and *executes*, then reports the pod's *status* (a pure function of the same observation).
 * A turn is caused by a change of the pod, an event of a container, a probe's result, or a time that was planned for.
 *
 * A container of a pod lives in *attempts*: each start is one container of `core/containers`, named by a random id and
 * known by its labels, so that a kubelet that was killed finds what it started and never starts it twice. The newest
 * attempt and the one before are kept (for `lastState` and `logs --previous`), older ones are removed.
 *
 * The pod's *sandbox* (network, IPC and UTS namespaces) has the pod's uid as its id.
 *
 * Life of a pod here: admit (or refuse by name) -> volumes -> sandbox and network -> init containers in order
 * (sidecars stay) -> containers -> … -> stop all with grace -> remove sandbox and volumes -> delete the object.
 */
import type { Pod, Service } from '#api/kube/types.ts';
import type { KubeClient } from '#client/kube/types.ts';
import type { Resources } from '#cluster/machinery/requests.ts';
import type { Informer } from '#cluster/machinery/types.ts';
import type { Containers } from '#core/containers/types.ts';
import type { ContainersOptions } from '#core/containers/open.ts';
import type { Images } from '#core/images/types.ts';
import type { Logs } from '#core/logs/types.ts';
import type { Networks } from '#core/networks/types.ts';
import type { Sandboxes } from '#core/sandboxes/types.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';

/** The rooms of the core that a node stands on. */
export interface NodeCore {
  kernel: ContainersOptions['kernel'];
  containers: Containers;
  sandboxes: Sandboxes;
  images: Images;
  snapshots: Snapshots;
  networks: Networks;
  logs: Logs;
}

export interface KubeletOptions {
  client: KubeClient;
  core: NodeCore;
  clock: Clock;
  random: Random;
  log: Logger;
  nodeName: string;
  /** The node's address: its InternalIP, and the host IP of its pods. */
  address: string;
  /** Directory of volumes, logs and per-pod files. */
  root: string;
  /** Gantry's version. */
  version: string;
  /** The bridge network of the node's pods; made where it is missing, on `subnet` or the next free one. */
  podNetwork: { name: string; subnet?: string };
  /** The range of the node's pods, where it was given one: the Node says it. */
  podCidr?: string;
  /** First part of each cgroup's name, as for `openContainers`. */
  instance: string;
  clusterDns: readonly string[];
  /** `cluster.local` */
  clusterDomain: string;
  /** PEM. Only clients with a certificate of `clientCa` are served. */
  server: { cert: string; key: string; clientCa: string; host?: string; port?: number };
  /** Labels of the Node beside the well-known ones. */
  labels?: Readonly<Record<string, string>>;
  /** Pods that the node takes at most; default 110. */
  maxPods?: number;
  /** How often volumes made of API objects are brought up to date, in milliseconds; default 10 s. */
  refreshMs?: number;
  /** Whether the Node is made again where somebody deletes it (a cluster's only one); else at the agent's next start. Default true. */
  keepNode?: boolean;
  /** Called when the API server is reached again after it was not: connections of before may hang. */
  onReachedAgain?: () => void;
  /** How often the Node's status is written, in milliseconds; default a minute. */
  statusMs?: number;
  /** When images that no pod uses are removed; the kubelet's defaults where it is not given. */
  imageCollection?: ImageCollection;
}

/** The kubelet's imageGCHighThresholdPercent, imageGCLowThresholdPercent and imageMinimumGCAge. */
export interface ImageCollection {
  /** Of the disk in use, from which on images are removed. */
  highPercent: number;
  /** Of the disk in use, down to which they are. */
  lowPercent: number;
  /** Milliseconds that an image is kept unused. */
  leastAgeMs: number;
  /** Milliseconds between two looks. */
  everyMs: number;
}

export interface Kubelet {
  /** Of the HTTPS server. */
  port: number;
  /** Stops the agent. Pods run on, and are found again by the next one. */
  stop(): Promise<void>;
}

/** What each part of the kubelet is given. */
export interface NodeContext extends KubeletOptions {
  recorder: EventRecorder;
  /** All Services: their addresses are in the environment of containers. */
  services: Informer<Service>;
  /** Tokens of projected volumes, kept until it is time for new ones. */
  tokens: Map<string, Token>;
  /** When images were last wanted or used, by their ids, in milliseconds. */
  imagesUsed: Map<string, number>;
  /** What the node offers to pods. */
  allocatable: { cpu: string; memory: string; memoryBytes: number };
  /** The same in numbers, with all that is counted before a pod is taken on. */
  room: Resources;
}

/** What it takes to clear the node of a pod, with no agent running. */
export type NodePlace = Pick<NodeContext, 'core' | 'root' | 'nodeName' | 'instance' | 'log' | 'tokens'>;

export interface Token {
  token: string;
  /** When it was given, and when to ask for a new one: by the time of day, as its validity. */
  givenAt: number;
  renewAt: number;
}

/** Writes events about pods and the node. Never throws, never waits: a lost event is logged. */
export interface EventRecorder {
  pod(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
  node(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** Owner of sandboxes and containers in the core rooms. */
export const owner = 'kubelet';

/** Labels of containers and sandboxes in the core rooms. */
export const labelOf = {
  node: 'gantry.node',
  uid: 'io.kubernetes.pod.uid',
  namespace: 'io.kubernetes.pod.namespace',
  pod: 'io.kubernetes.pod.name',
  container: 'io.kubernetes.container.name',
  attempt: 'io.kubernetes.container.restartCount',
  image: 'gantry.image',
  imageId: 'gantry.imageId',
  hash: 'gantry.hash',
} as const;
