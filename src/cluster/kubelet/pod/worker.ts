/** The worker of one pod: observe, plan, execute, report; one turn after the other. */
import type { Container, Pod } from '#api/kube/types.ts';
import { Backoff } from '#lib/backoff.ts';
import type { Timer } from '#lib/clock.ts';
import { monotonicMs } from '#lib/clock.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import type { PodFacts } from '../container/fields.ts';
import type { PodObjects } from '../container/environment.ts';
import { pods } from '#client/kube/resources.ts';
import type { NodeContext } from '../types.ts';
import { PodVolumes } from '../volumes/manager.ts';
import { retryDelay } from './backoff.ts';
import { PodContainers } from './containers.ts';
import { allContainersOf } from './observed.ts';
import type { Failure, Observation } from './observed.ts';
import { describePlan, graceOf, planPod } from './plan.ts';
import type { Operation } from './plan.ts';
import type { Refusal } from './refuse.ts';
import { StatusReporter, withReported } from './report.ts';
import { podAddress } from './sandbox.ts';
import { prepareNode, releaseNode, somethingLeft, tearDownNode } from './place.ts';
import { podStatus } from './status.ts';

/** How often volumes made of API objects are brought up to date, in milliseconds. */
const defaultRefreshMs = 10_000;
/** How long after a turn that failed the next one begins, at first and at most, in milliseconds. */
const againMs = 1000;
const longestAgainMs = 10_000;
/** Of the condition Ready, where the controller of nodes speaks for a node that does not. */
const nodeNotReady = 'NodeNotReady';

export class PodWorker {
  readonly #node: NodeContext;
  readonly #objects: PodObjects;
  readonly #volumes: PodVolumes;
  readonly #containers: PodContainers;
  readonly #onFinished: () => void;
  readonly #reporter: StatusReporter;
  /** Their `retryAt` is in milliseconds of the clock that never jumps. */
  readonly #failures = new Map<string, Failure>();
  /** Aborts what takes long (pulls) when the pod is to go. */
  readonly #ending = new AbortController();
  #pod: Pod;
  #gone = false;
  #prepared = false;
  #finished = false;
  readonly #refusal: Refusal | undefined;
  #nextRefresh = 0;
  #rung = true;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  readonly #trouble = new Backoff(againMs, longestAgainMs);
  #stopped = false;

  /** `refusal`: why the node does not take it. `onFinished`: nothing of the pod is left, here and in the API. */
  constructor(node: NodeContext, pod: Pod, objects: PodObjects, refusal: Refusal | undefined, onFinished: () => void) {
    this.#node = node;
    this.#onFinished = onFinished;
    this.#pod = pod;
    this.#objects = objects;
    this.#volumes = new PodVolumes(node, objects);
    // An API server that cannot be reached does not keep containers from running.
    this.#reporter = new StatusReporter(node, (error) => (error === undefined ? this.#trouble.reset() : this.#again('the status of a pod could not be written', error)));
    this.#containers = new PodContainers(node, () => this.#pod, () => this.wake());
    this.#refusal = refusal;
    if (refusal) node.recorder.pod(pod, 'Warning', refusal.reason, refusal.message);
    this.wake();
  }

  /** Whether what the pod asks for is set aside for it, as far as those who place pods know. */
  get hasRoom(): boolean {
    return this.#refusal === undefined && !this.#gone;
  }

  /** A new state of the object. */
  update(pod: Pod): void {
    this.#pod = pod;
    // said while the node was out of reach
    if (pod.status?.conditions?.some(({ type, reason }) => type === 'Ready' && reason === nodeNotReady)) this.#reporter.forget();
    if (pod.metadata.deletionTimestamp) this.#end();
    this.wake();
  }

  /** The object is gone. */
  gone(): void {
    this.#gone = true;
    this.#end();
    this.wake();
  }

  #end(): void {
    this.#ending.abort();
    this.#containers.hasten(graceOf(this.#pod, { gone: this.#gone }));
  }

  /** Takes a turn soon. Calls while one is running make one more. */
  wake(): void {
    this.#rung = true;
    this.#running ??= this.#turns().finally(() => {
      this.#running = undefined;
      if (this.#rung && !this.#stopped) this.wake();
    });
  }

  /** Stops working; the containers run on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#ending.abort();
    this.#containers.forget();
    await this.#running;
    await this.#reporter.written().catch(() => {});
  }

  async #turns(): Promise<void> {
    // Lets the changes of one moment become one turn.
    await Promise.resolve();
    while (this.#rung && !this.#stopped) {
      this.#rung = false;
      this.#timer?.cancel();
      this.#timerAt = Infinity;
      try {
        await this.#turn();
      } catch (error) {
        this.#again('a pod could not be synchronised', error);
      }
    }
  }

  #again(what: string, error: unknown): void {
    if (this.#stopped) return;
    this.#node.log.warn(what, { pod: this.#name, error });
    this.#wakeIn(this.#trouble.next());
  }

  get #name(): string {
    return `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`;
  }

  async #turn(): Promise<void> {
    if (this.#finished) {
      if (this.#gone) this.#onFinished();
      return;
    }
    const seen = this.#observe();
    const plan = planPod(withReported(this.#pod, this.#reporter.told), seen);
    if (this.#gone && plan.operations.length === 0 && !seen.anything) {
      this.#finished = true;
      this.#onFinished();
      return;
    }
    if (plan.operations.length > 0) this.#node.log.debug('plan', { pod: this.#name, plan: describePlan(plan) });
    if (!plan.operations.some((operation) => operation.type === 'finish')) this.#tell(seen);
    for (const operation of plan.operations) {
      if (this.#stopped) return;
      if (!(await this.#execute(operation))) break;
      this.#rung = true;
    }
    await this.#refreshVolumes();
    if (plan.operations.length > 0 && !this.#finished) this.#tell(this.#observe());
    if (plan.wakeAt !== undefined) this.#wakeIn(plan.wakeAt - this.#node.clock.now());
  }

  /** A turn after so many milliseconds at the latest. */
  #wakeIn(ms: number): void {
    const { clock } = this.#node;
    const at = monotonicMs(clock) + ms;
    if (this.#timerAt <= at) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = clock.after(Math.max(0, ms), () => this.wake());
  }

  #observe(): Observation {
    const node = this.#node;
    const podIp = podAddress(node, this.#pod);
    return {
      now: node.clock.now(),
      nodeAddress: node.address,
      gone: this.#gone,
      prepared: this.#prepared,
      sandbox: node.core.sandboxes.get(this.#pod.metadata.uid!) !== undefined,
      anything: somethingLeft(node, this.#pod.metadata.uid!),
      ...(podIp === undefined ? {} : { podIp }),
      ...this.#containers.observe(),
      failures: this.#failuresByDay(),
      ...(this.#refusal ? { refused: this.#refusal } : {}),
    };
  }

  /** With the time of day at which each is tried again: plans know of no other. */
  #failuresByDay(): Map<string, Failure> {
    const { clock } = this.#node;
    const ahead = clock.now() - monotonicMs(clock);
    return new Map([...this.#failures].map(([key, failure]) => [key, { ...failure, retryAt: failure.retryAt + ahead }]));
  }

  #facts(): PodFacts {
    return { podIp: podAddress(this.#node, this.#pod), hostIp: this.#node.address, allocatable: this.#node.allocatable };
  }

  /** False: it failed, and what follows in the plan waits for the next turn. */
  async #execute(operation: Operation): Promise<boolean> {
    const key = operation.type === 'start' ? operation.container : '';
    try {
      await this.#run(operation);
      this.#failures.delete(key);
      return true;
    } catch (error) {
      if (this.#stopped || (this.#ending.signal.aborted && operation.type === 'start')) return false;
      this.#failed(operation, key, error);
      return false;
    }
  }

  #failed(operation: Operation, key: string, error: unknown): void {
    const reason = isFault(error) && typeof error.details['reason'] === 'string' ? error.details['reason'] : operation.type === 'start' ? 'CreateContainerError' : 'FailedCreatePodSandBox';
    const count = (this.#failures.get(key)?.count ?? 0) + 1;
    const retryAt = monotonicMs(this.#node.clock) + retryDelay(count, reason);
    this.#failures.set(key, { reason, message: messageOf(error), count, retryAt });
    this.#node.log.warn('a step for a pod failed', { pod: this.#name, step: operation.type, reason, error });
    const event = operation.type === 'start' ? 'Failed' : reason;
    if (reason !== 'ErrImagePull') this.#node.recorder.pod(this.#pod, 'Warning', event, operation.type === 'start' ? `Error: ${messageOf(error)}` : messageOf(error), key || undefined);
    else this.#node.recorder.pod(this.#pod, 'Normal', 'BackOff', `Back-off pulling image "${this.#container(key).image}"`, key);
    this.#rung = true;
  }

  #container(name: string): Container {
    return allContainersOf(this.#pod).find((container) => container.name === name)!;
  }

  async #run(operation: Operation): Promise<void> {
    const uid = this.#pod.metadata.uid!;
    switch (operation.type) {
      case 'prepare':
        await prepareNode(this.#node, this.#pod, this.#volumes, this.#facts());
        this.#prepared = true;
        return;
      case 'start':
        await this.#containers.start(this.#container(operation.container), operation.attempt, { volumes: this.#volumes, objects: this.#objects, facts: this.#facts(), signal: this.#ending.signal });
        return;
      case 'stop':
        this.#containers.stop(this.#container(operation.container), operation.id, operation.graceMs, operation.message);
        return;
      case 'discard':
        return this.#containers.discard(operation.id);
      case 'release':
        await releaseNode(this.#node, uid);
        this.#prepared = false;
        return;
      case 'tear-down':
        await this.#containers.settled();
        this.#tell(this.#observe());
        await this.#reporter.written();
        await tearDownNode(this.#node, this.#pod, this.#volumes);
        this.#prepared = false;
        return;
      case 'finish':
        await this.#finish();
    }
  }

  async #finish(): Promise<void> {
    if (this.#finished) return;
    const { name, namespace, uid } = this.#pod.metadata;
    try {
      await this.#node.client.delete(pods, name!, { namespace: namespace!, gracePeriodSeconds: 0, preconditions: { uid: uid! } });
    } catch (error) {
      if (!isFault(error, 'not-found', 'conflict')) throw error;
    }
    this.#finished = true;
  }

  async #refreshVolumes(): Promise<void> {
    const now = monotonicMs(this.#node.clock);
    if (!this.#prepared || this.#ending.signal.aborted || !this.#volumes.changing(this.#pod)) return;
    if (now >= this.#nextRefresh) {
      try {
        if (this.#nextRefresh > 0) await this.#volumes.refresh(this.#pod, this.#facts());
      } catch (error) {
        this.#node.log.warn('volumes of a pod could not be brought up to date', { pod: this.#name, error });
      }
      this.#nextRefresh = now + (this.#node.refreshMs ?? defaultRefreshMs);
    }
    this.#wakeIn(this.#nextRefresh - now);
  }

  #tell(seen: Observation): void {
    if (this.#gone) return;
    const basis = withReported(this.#pod, this.#reporter.told);
    this.#reporter.tell(basis, podStatus(basis, seen));
  }
}
