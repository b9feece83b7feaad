import type { Lease, Node, Pod, PodStatus } from '#api/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import { isoSeconds, isoTime, monotonicMs } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { leases, nodes, pods } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { conditionOf, isTrue, withCondition } from '#cluster/machinery/conditions.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import { parse } from '#cluster/machinery/requests.ts';
import { shortageOf, wasTaken } from '#cluster/kubelet/pod/refuse.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Informer } from '#cluster/machinery/types.ts';
import type { Chance } from './chance.ts';
import type { Served } from './client-faults.ts';
import { faultyClient } from './client-faults.ts';
import type { Faults } from './faults.ts';
import { ProcessClock } from './process-clock.ts';

const heartbeatMs = 10_000;
const missedBeatMs = 500;
const statusMs = 300_000;
const leaseNamespace = 'kube-node-lease';
/** Slowest start of a pod, and how long after it one may turn bad, in milliseconds. */
const slowestStartMs = 4000;
const latestTroubleMs = 60_000;
const longestFlapMs = 15_000;
/** A pod of this image never becomes ready. */
export const brokenImage = 'web:broken';

export interface NodeOptions {
  name: string;
  /** Makes its pods' addresses its own. */
  number: number;
  cpu: string;
  clock: Clock;
  log: Logger;
  chance: Chance;
  faults: Faults;
  server: () => Served | undefined;
  compaction: () => Promise<void>;
}

/** The cpu of a machine in a healed world: there is room for all. */
const enough = '64';

/** What runs on the machine, whether or not its kubelet does. Times are of the world's clock, and never jump. */
interface Workload {
  ip: string;
  readyAt: number;
  /** Out of order from then until then; for good where there is no end. */
  trouble?: { from: number; until?: number };
  endsAt?: number;
}

/** A machine with a kubelet that keeps the promises of a real one, and starts nothing. */
export class SimNode {
  readonly name: string;
  readonly #options: NodeOptions;
  /** By pod uid. */
  readonly #workloads = new Map<string, Workload>();
  #process: { clock: ProcessClock; stop: AbortController } | undefined;
  #addresses = 0;
  #cpu: string;
  /** What its Node says of that. */
  #told: string;
  #reportedAt = -Infinity;

  constructor(options: NodeOptions) {
    this.name = options.name;
    this.#options = options;
    this.#cpu = options.cpu;
    this.#told = options.cpu;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** Starts the kubelet. It finds again what it left. */
  start(): void {
    if (this.#process) return;
    const { server, compaction, chance, faults, log } = this.#options;
    this.#reportedAt = -Infinity;
    const clock = new ProcessClock(this.#options.clock);
    const stop = new AbortController();
    this.#process = { clock, stop };
    const client = faultyClient({ server, compaction, clock, chance, faults, remote: true });
    void this.#live(client, clock, log);
    this.#follow(client, clock, stop.signal);
  }

  /** Has room for all from now on. */
  grow(): void {
    this.#cpu = enough;
  }

  /** What has not gone wrong by now will not. */
  calm(): void {
    for (const workload of this.#workloads.values()) if ((workload.trouble?.from ?? 0) > monotonicMs(this.#options.clock)) delete workload.trouble;
  }

  /** The kubelet is gone, or cut off; what it started runs on. */
  lose(): void {
    this.#process?.clock.kill();
    this.#process = undefined;
  }

  /** The machine is gone, with all that ran. */
  crash(): void {
    this.lose();
    this.#workloads.clear();
  }

  async #live(client: KubeClient, clock: Clock, log: Logger): Promise<void> {
    for (;;) {
      const beaten = await this.#beat(client, clock).then(() => true, (error: unknown) => {
        log.debug('no heartbeat', { node: this.name, error });
        return false;
      });
      await clock.sleep(beaten ? heartbeatMs : missedBeatMs);
    }
  }

  async #beat(client: KubeClient, clock: Clock): Promise<void> {
    await this.#keepNode(client, clock);
    const renewTime = isoTime(clock.now()).replace('Z', '000Z');
    const lease: Lease = {
      apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: this.name, namespace: leaseNamespace },
      spec: { holderIdentity: this.name, leaseDurationSeconds: 40, renewTime },
    };
    try {
      await client.patch(leases, this.name, { type: 'merge', body: { spec: lease.spec } }, { namespace: leaseNamespace });
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
      await client.create(leases, lease);
    }
  }

  async #keepNode(client: KubeClient, clock: Clock): Promise<void> {
    const now = isoSeconds(clock.now());
    const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'simulated', lastHeartbeatTime: now };
    try {
      const { status } = await client.get<Node>(nodes, this.name);
      this.#told = status?.allocatable?.['cpu'] ?? this.#told;
      const known = conditionOf(status?.conditions, 'Ready');
      if (known?.status === 'True' && monotonicMs(clock) - this.#reportedAt < statusMs && status?.allocatable?.['cpu'] === this.#cpu) return;
      const conditions = withCondition(status?.conditions, ready, now);
      await client.patch(nodes, this.name, { type: 'strategic', body: { status: { conditions, capacity: this.#room, allocatable: this.#room } } }, { subresource: 'status' });
      this.#reportedAt = monotonicMs(clock);
      this.#told = this.#cpu;
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
      const status = { capacity: this.#room, allocatable: this.#room, conditions: [{ ...ready, lastTransitionTime: now }] };
      await client.create<Node>(nodes, {
        apiVersion: 'v1', kind: 'Node', metadata: { name: this.name, labels: { 'kubernetes.io/hostname': this.name } }, spec: {}, status,
      });
      this.#told = this.#cpu;
    }
  }

  get #room(): { cpu: string; memory: string; pods: string } {
    return { cpu: this.#cpu, memory: '8Gi', pods: '110' };
  }

  #follow(client: KubeClient, clock: ProcessClock, signal: AbortSignal): void {
    const { log } = this.#options;
    const queue = new WorkQueue({ clock });
    const informer = createInformer<Pod>({ client, ref: pods, clock, log, signal, fieldSelector: `spec.nodeName=${this.name}` });
    informer.onChange(({ type, object }) => {
      if (type === 'DELETED') this.#workloads.delete(object.metadata.uid ?? '');
      else queue.add(`${object.metadata.namespace}/${object.metadata.name}`);
    });
    const reconcile = (key: string): Promise<number | undefined> => this.#sync(key, informer, client, clock);
    void runController({ name: `kubelet-${this.name}`, queue, workers: 4, synced: [informer.synced], reconcile, signal, log, clock });
  }

  async #sync(key: string, informer: Informer<Pod>, client: KubeClient, clock: Clock): Promise<number | undefined> {
    const pod = informer.get(key);
    if (!pod) return undefined;
    const { uid = '', name = '', namespace, deletionTimestamp } = pod.metadata;
    const now = monotonicMs(clock);
    const workload = this.#workloads.get(uid);
    if (deletionTimestamp !== undefined) {
      if (workload && workload.endsAt === undefined) workload.endsAt = now + this.#options.chance.between(0, Math.min(3000, (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000));
      if (workload?.endsAt !== undefined && workload.endsAt > now) return workload.endsAt - now;
      await client.delete(pods, name, { namespace, gracePeriodSeconds: 0, preconditions: { uid } }).catch((error: unknown) => {
        if (!isFault(error, 'not-found', 'conflict')) throw error;
      });
      return undefined;
    }
    if (isFinishedPod(pod)) return undefined;
    const shortage = workload || wasTaken(pod) ? undefined : shortageOf(pod, this.#taken(informer), parse({ ...this.#room, cpu: this.#told }));
    const own = workload ?? (shortage ? undefined : this.#begin(uid, pod, now));
    const status = own ? statusOf(pod, own, now, isoSeconds(clock.now())) : { ...pod.status, phase: 'Failed', reason: shortage?.reason, message: shortage?.message };
    if (!sameJson(status, pod.status)) {
      await client.patch(pods, name, { type: 'merge', body: { metadata: { uid }, status } }, { namespace, subresource: 'status' }).catch((error: unknown) => {
        // Another pod has the name by now; what became of this one the informer will tell.
        if (!isFault(error, 'not-found', 'conflict')) throw error;
      });
    }
    const next = [own?.readyAt, own?.trouble?.from, own?.trouble?.until].filter((at) => at !== undefined && at > now) as number[];
    return next.length > 0 && status.phase !== 'Failed' ? Math.min(...next) - now : undefined;
  }

  /** Pods that have their room here. */
  #taken(informer: Informer<Pod>): Pod[] {
    return informer.list().filter((pod) => this.#workloads.has(pod.metadata.uid ?? '') || wasTaken(pod));
  }

  #begin(uid: string, pod: Pod, now: number): Workload {
    const { chance, faults, number } = this.#options;
    const address = ++this.#addresses;
    const readyAt = pod.spec.containers[0]?.image === brokenImage ? Infinity : now + chance.between(50, slowestStartMs);
    const workload: Workload = { ip: `10.${128 + number}.${address >> 8}.${address & 255}`, readyAt };
    const from = now + chance.between(0, latestTroubleMs);
    if (chance.happens(faults.pod.failing)) workload.trouble = { from };
    else if (chance.happens(faults.pod.flapping)) workload.trouble = { from, until: from + chance.between(500, longestFlapMs) };
    this.#workloads.set(uid, workload);
    return workload;
  }
}

function statusOf(pod: Pod, { ip, readyAt, trouble }: Workload, now: number, time: string): PodStatus {
  const troubled = trouble !== undefined && now >= trouble.from && (trouble.until === undefined || now < trouble.until);
  const failed = troubled && trouble.until === undefined;
  const ready = now >= readyAt && !troubled;
  const before = pod.status?.conditions ?? [];
  const same = isTrue(before, 'Ready') === ready && conditionOf(before, 'Ready') !== undefined;
  const conditions = same ? before : withCondition(before, { type: 'Ready', status: ready ? 'True' : 'False' }, time);
  return {
    ...pod.status, conditions, podIP: ip, podIPs: [{ ip }], hostIP: '192.0.2.9',
    phase: failed ? 'Failed' : now >= readyAt ? 'Running' : 'Pending',
    startTime: pod.status?.startTime ?? time,
  };
}
