/** The containers of one pod as its worker handles them: attempts, probes, those that are stopping. */
import type { Container, Pod } from '#api/kube/types.ts';
import { monotonicMs } from '#lib/clock.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import { Prober } from '../probes/prober.ts';
import type { HandlerTarget } from '../probes/handlers.ts';
import type { NodeContext } from '../types.ts';
import { attemptsOf, discardAttempt, startAttempt, terminationMessage } from './attempts.ts';
import type { StartInput } from './attempts.ts';
import { longRunMs } from './backoff.ts';
import { runPostStart, Stopping } from './hooks.ts';
import { allContainersOf } from './observed.ts';
import type { Observation, ObservedContainer } from './observed.ts';
import { graceOf, hashOf } from './plan.ts';
import { podAddress } from './sandbox.ts';

/** Status of an attempt whose process never began. */
const startErrorCode = 128;

export class PodContainers {
  readonly #node: NodeContext;
  readonly #pod: () => Pod;
  readonly #wake: () => void;
  readonly #probers = new Map<string, Prober>();
  readonly #stopping = new Map<string, Stopping>();
  readonly #streaks = new Map<string, number>();
  /** Attempts that could not start: no container is left of them. The newest of each name. */
  readonly #startErrors = new Map<string, ObservedContainer>();
  /** Of ended attempts: the termination message, read once, and when the end was seen, by the clock that never jumps. */
  readonly #ended = new Map<string, { message: string; seenAt: number }>();

  constructor(node: NodeContext, pod: () => Pod, wake: () => void) {
    this.#node = node;
    this.#pod = pod;
    this.#wake = wake;
  }

  observe(): Pick<Observation, 'attempts' | 'stopping' | 'probes' | 'streaks'> {
    const attempts = attemptsOf(this.#node, this.#pod().metadata.uid!);
    for (const failed of this.#startErrors.values()) {
      attempts.set(failed.name, [failed, ...(attempts.get(failed.name) ?? [])].toSorted((a, b) => b.attempt - a.attempt));
    }
    for (const container of allContainersOf(this.#pod())) {
      const latest = attempts.get(container.name)?.[0];
      if (latest?.state === 'running') this.#probe(container, latest);
      for (const one of attempts.get(container.name) ?? []) if (one.state === 'exited') this.#explain(container, one);
    }
    return { attempts, stopping: new Set(this.#stopping.keys()), probes: new Map([...this.#probers].map(([id, prober]) => [id, prober.state])), streaks: this.#streaks };
  }

  #target(container: Container, id: string): HandlerTarget {
    const pod = this.#pod();
    return { uid: pod.metadata.uid!, id, container, address: podAddress(this.#node, pod) ?? '127.0.0.1' };
  }

  #probe(container: Container, running: ObservedContainer): void {
    if (this.#probers.has(running.id) || this.#stopping.has(running.id)) return;
    const pod = this.#pod();
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
    const known = [...containerStatuses, ...initContainerStatuses].find(({ containerID }) => containerID === `gantry://${running.id}`);
    const options = { node: this.#node, pod, container, target: this.#target(container, running.id), onChange: this.#wake };
    this.#probers.set(running.id, new Prober(known ? { ...options, known: { started: known.started ?? false, ready: known.ready } } : options));
  }

  #explain(container: Container, ended: ObservedContainer): void {
    this.#unprobe(ended.id);
    const now = monotonicMs(this.#node.clock);
    let known = this.#ended.get(ended.id);
    if (!known) {
      const logPath = this.#node.core.containers.get(ended.id)?.logPath ?? '';
      known = { message: ended.message ?? terminationMessage(this.#node, this.#pod(), container, ended, logPath), seenAt: now };
      this.#ended.set(ended.id, known);
    }
    ended.endedAgoMs = now - known.seenAt;
    if (known.message !== '') ended.message = known.message;
  }

  #unprobe(id: string): void {
    this.#probers.get(id)?.stop();
    this.#probers.delete(id);
  }

  async start(container: Container, attempt: number, input: Omit<StartInput, 'pod' | 'container' | 'attempt'>): Promise<void> {
    const before = this.observe().attempts.get(container.name)?.[0];
    if (before) this.#count(before);
    let id: string;
    try {
      id = await startAttempt(this.#node, { ...input, pod: this.#pod(), container, attempt });
    } catch (error) {
      if (!isFault(error) || error.details['reason'] !== 'RunContainerError') throw error;
      this.#node.recorder.pod(this.#pod(), 'Warning', 'Failed', `Error: ${messageOf(error)}`, container.name);
      this.#startErrors.set(container.name, this.#startError(container, attempt, messageOf(error)));
      this.#wake();
      return;
    }
    this.#startErrors.delete(container.name);
    const hook = runPostStart(this.#node, this.#pod(), container, this.#target(container, id));
    // Who ends the pod or the kubelet does not wait for a hook.
    if (!(await Promise.race([hook, aborted(input.signal)]))) this.stop(container, id, graceOf(this.#pod(), { gone: false }));
  }

  #startError(container: Container, attempt: number, message: string): ObservedContainer {
    const now = this.#node.clock.now();
    const image = container.image ?? '';
    return { id: `${container.name}-${attempt}`, name: container.name, attempt, state: 'exited', startedAt: now, finishedAt: now, exitCode: startErrorCode, reason: 'StartError', message, hash: hashOf(container), image, imageId: '' };
  }

  #count(ended: ObservedContainer): void {
    const long = (ended.finishedAt ?? 0) - (ended.startedAt ?? ended.finishedAt ?? 0) >= longRunMs;
    const streak = (long ? 0 : (this.#streaks.get(ended.name) ?? ended.attempt + 1)) + 1;
    this.#streaks.set(ended.name, streak);
    if (streak > 2) {
      const pod = this.#pod();
      this.#node.recorder.pod(pod, 'Warning', 'BackOff', `Back-off restarting failed container ${ended.name} in pod ${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`, ended.name);
    }
  }

  /** Begins to stop it; its end is an event like any other. */
  stop(container: Container, id: string, graceMs: number, message = `Stopping container ${container.name}`): void {
    if (this.#stopping.has(id)) return;
    this.#unprobe(id);
    this.#node.recorder.pod(this.#pod(), 'Normal', 'Killing', message, container.name);
    const stopping = new Stopping(this.#node, this.#pod(), container, this.#target(container, id), graceMs);
    this.#stopping.set(id, stopping);
    void stopping.done
      .catch((error: unknown) => this.#node.log.error('cannot stop a container', { id, error }))
      .then(() => {
        this.#stopping.delete(id);
        this.#wake();
      });
  }

  /** The grace of those that are stopping became shorter. */
  hasten(graceMs: number): void {
    for (const stopping of this.#stopping.values()) stopping.hasten(graceMs);
  }

  async discard(id: string): Promise<void> {
    this.#unprobe(id);
    this.#ended.delete(id);
    await discardAttempt(this.#node, id);
  }

  /** Resolves when nothing is stopping any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#stopping.values()].map((stopping) => stopping.done));
  }

  /** Stops probing. */
  forget(): void {
    for (const id of this.#probers.keys()) this.#unprobe(id);
  }
}

/** Resolves, as if all went well, when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<true> {
  if (signal.aborted) return Promise.resolve(true);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(true), { once: true }));
}
