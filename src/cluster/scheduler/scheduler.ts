import type { Pod } from '#api/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import { isoSeconds, monotonicMs } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import { pods as podsRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { answered } from '#cluster/machinery/answered.ts';
import { conditionOf, withCondition } from '#cluster/machinery/conditions.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { createEventRecorder } from '#cluster/machinery/events.ts';
import { createInformers } from '#cluster/machinery/informers.ts';
import { isActivePod, isFinishedPod } from '#cluster/machinery/pods.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import { keyOf } from '#cluster/machinery/types.ts';
import type { EventRecorder } from '#cluster/machinery/types.ts';
import { ClusterRooms } from './observe.ts';
import { decide, decisionText } from './plan.ts';

const component = 'default-scheduler';
/** Bindings that are under way at a time. */
const workers = 16;
/** A pod that found no node is not looked at again sooner than this after the last time, in milliseconds. */
const retryMs = 1000;

export interface SchedulerOptions {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  random: Random;
  signal: AbortSignal;
}

/** Works until the signal; resolves when what was under way has ended. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const { clock, signal } = options;
  const rooms = new ClusterRooms(createInformers(options));
  const scheduler = new Scheduler(options, rooms, createEventRecorder(options));
  scheduler.listen();
  const informers = [rooms.pods, rooms.nodes, rooms.namespaces];
  const synced = informers.map((informer) => informer.synced);
  await runController({ name: 'scheduler', queue: scheduler.queue, workers, synced, reconcile: (key) => scheduler.place(key), signal, log: options.log, clock });
  await Promise.all(informers.map((informer) => informer.done));
}

class Scheduler {
  readonly queue: WorkQueue;
  readonly #options: SchedulerOptions;
  readonly #rooms: ClusterRooms;
  readonly #events: EventRecorder;
  /** Pods without a node that would have them, and when they were last looked at. */
  readonly #held = new Map<string, number>();

  constructor(options: SchedulerOptions, rooms: ClusterRooms, events: EventRecorder) {
    this.#options = options;
    this.#rooms = rooms;
    this.#events = events;
    this.queue = new WorkQueue({ clock: options.clock });
  }

  listen(): void {
    this.#rooms.pods.onChange(({ type, object, old }) => {
      const key = keyOf(object);
      if (type === 'DELETED' || !isOurs(object)) this.#held.delete(key);
      // A status that this scheduler wrote is no reason to look again.
      else if (type === 'ADDED' || !sameJson([old?.spec, old?.metadata.labels], [object.spec, object.metadata.labels])) this.queue.add(key);
      const gaveRoom = (object.spec.nodeName ?? '') !== '' && (type === 'DELETED' || (isFinishedPod(object) && !(old && isFinishedPod(old))));
      if (gaveRoom) this.#lookAgain();
      const arrived = (object.spec.nodeName ?? '') !== '' && (old?.spec.nodeName ?? '') === '';
      if (type !== 'DELETED' && arrived) this.#lookAgain(wantsCompany);
    });
    this.#rooms.nodes.onChange(({ type, object, old }) => {
      const facts = (node: typeof object): unknown => [node.metadata.labels, node.spec, node.status?.allocatable];
      if (type !== 'MODIFIED' || !sameJson(facts(old), facts(object))) this.#lookAgain();
    });
  }

  /** Something changed that may make room. */
  #lookAgain(which: (pod: Pod) => boolean = () => true): void {
    const now = monotonicMs(this.#options.clock);
    for (const [key, last] of this.#held) {
      const pod = this.#rooms.pods.get(key);
      if (pod && which(pod)) this.queue.addAfter(key, last + retryMs - now);
    }
  }

  async place(key: string): Promise<void> {
    const { clock, log, random } = this.#options;
    const pod = this.#rooms.pods.get(key);
    if (!pod || !isOurs(pod) || this.#rooms.isAssumed(key)) return;
    if (isGated(pod)) {
      this.#held.delete(key);
      await this.#report(pod, 'SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates');
      return;
    }
    const decision = decide(pod, this.#rooms.cluster(), random);
    log.debug(decisionText(pod, decision));
    if ('node' in decision) {
      this.#held.delete(key);
      await this.#bind(pod, decision.node);
    } else {
      this.#held.set(key, monotonicMs(clock));
      await this.#hold(pod, decision.unschedulable);
    }
  }

  async #bind(pod: Pod, node: string): Promise<void> {
    const { client, signal } = this.#options;
    const { name = '', namespace = '', uid } = pod.metadata;
    // Before the first wait: no other worker may count the same room as free.
    this.#rooms.assume(pod, node);
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace, uid }, target: { apiVersion: 'v1', kind: 'Node', name: node } };
    try {
      await client.create(podsRef, binding, { subresource: 'binding', name, namespace, signal });
    } catch (error) {
      // A binding that was not answered may stand: then the room is taken, though no informer shows it yet.
      if (!isFault(error, 'timeout') || !(await this.#isBound(pod, node))) {
        this.#rooms.forget(pod);
        if (isFault(error, 'not-found')) return;
        throw error;
      }
    }
    this.#events.record(component, pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${node}`);
  }

  async #isBound({ metadata: { name = '', namespace, uid } }: Pod, node: string): Promise<boolean> {
    const { client, signal } = this.#options;
    const there = await answered(() => client.get<Pod>(podsRef, name, namespace, { signal })).catch(() => undefined);
    return there?.metadata.uid === uid && there?.spec.nodeName === node;
  }

  async #hold(pod: Pod, message: string): Promise<void> {
    this.#events.record(component, pod, 'Warning', 'FailedScheduling', message);
    await this.#report(pod, 'Unschedulable', message);
  }

  /** Why it has no node. */
  async #report(pod: Pod, reason: string, message: string): Promise<void> {
    const { client, clock, signal } = this.#options;
    const known = conditionOf(pod.status?.conditions, 'PodScheduled');
    if (known?.status === 'False' && known.reason === reason && known.message === message) return;
    const condition = { type: 'PodScheduled', status: 'False', reason, message };
    const conditions = withCondition(pod.status?.conditions, condition, isoSeconds(clock.now()));
    const { name = '', namespace = '' } = pod.metadata;
    try {
      await client.patch(podsRef, name, { type: 'strategic', body: { status: { conditions } } }, { subresource: 'status', namespace, signal });
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  }
}

/** A pod that comes may be the one it waits for. */
function wantsCompany({ spec }: Pod): boolean {
  return spec.affinity?.podAffinity !== undefined || (spec.topologySpreadConstraints ?? []).length > 0;
}

/** It has no node yet, and this scheduler is to find one. */
function isOurs(pod: Pod): boolean {
  const { nodeName = '', schedulerName = component } = pod.spec;
  return nodeName === '' && schedulerName === component && isActivePod(pod);
}

function isGated({ spec }: Pod): boolean {
  return (spec.schedulingGates ?? []).length > 0;
}
