/** What to do for a pod now. Pure: the same pod and observation give the same operations. */
import type { Container, Pod } from '#api/kube/types.ts';
import { restartDelay } from './backoff.ts';
import { allContainersOf, deadlineOf, ephemeralContainersOf, initContainersOf, initDone, initFailed, isOver, isSidecar, newest, pastDeadline, restarts } from './observed.ts';
import type { Observation, ObservedContainer } from './observed.ts';

export type Operation =
  /** Volumes, sandbox, network. */
  | { type: 'prepare'; cause: string }
  | { type: 'start'; container: string; attempt: number; cause: string }
  /** `message`: of the event, where it is not the usual one. */
  | { type: 'stop'; container: string; id: string; graceMs: number; cause: string; message?: string }
  /** Removes one attempt that is over (or was never started). */
  | { type: 'discard'; container: string; id: string; cause: string }
  /** Gives the network back; what the containers left stays. */
  | { type: 'release'; cause: string }
  /** Removes all that there is of the pod on the node. */
  | { type: 'tear-down'; cause: string }
  /** Deletes the object. */
  | { type: 'finish'; cause: string };

export interface Plan {
  operations: Operation[];
  /** When to look again, though nothing changes. */
  wakeAt?: number;
}

export function describePlan(plan: Plan): string {
  return plan.operations
    .map((operation) => {
      const { type, cause } = operation;
      const what = 'container' in operation ? ` ${operation.container}` : '';
      const attempt = operation.type === 'start' ? ` #${operation.attempt}` : operation.type === 'stop' ? ` within ${operation.graceMs / 1000}s` : '';
      return `${type}${what}${attempt} (${cause})`;
    })
    .join('\n');
}

export function planPod(pod: Pod, seen: Observation): Plan {
  if (seen.gone || pod.metadata.deletionTimestamp) return planEnd(pod, seen);
  if (seen.refused) return { operations: [] };
  if (pastDeadline(pod, seen.now)) return planStops(pod, seen, 'the pod was active longer than its deadline');
  if (isOver(pod, seen) || isFinal(pod)) return planOver(pod, seen);
  if (!seen.prepared) return planPrepare(seen);
  const planner = new Planner(pod, seen);
  if (planner.planInit()) planner.planContainers();
  planner.planEphemeral();
  planner.planDiscards();
  return planner.plan();
}

/** A pod that has ended never runs again, even where nothing of it is left here. */
function isFinal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

function planPrepare(seen: Observation): Plan {
  const failure = seen.failures.get('');
  if (failure && failure.retryAt > seen.now) return { operations: [], wakeAt: failure.retryAt };
  return { operations: [{ type: 'prepare', cause: failure ? `again after: ${failure.message}` : 'the pod is new' }] };
}

/** The pod is to go. */
function planEnd(pod: Pod, seen: Observation): Plan {
  const plan = planStops(pod, seen, seen.gone ? 'the pod is gone' : 'the pod is being deleted');
  if (running(pod, seen).length > 0) return plan;
  if (seen.anything) plan.operations.push({ type: 'tear-down', cause: 'all containers have ended' });
  if (!seen.gone) plan.operations.push({ type: 'finish', cause: 'nothing of the pod is left' });
  return plan;
}

/** All containers have done their work: sidecars stop, the network is given back. */
function planOver(pod: Pod, seen: Observation): Plan {
  const plan = planStops(pod, seen, 'the pod has done its work');
  if (running(pod, seen).length === 0 && seen.sandbox) plan.operations.push({ type: 'release', cause: 'all containers have ended' });
  return plan;
}

function running(pod: Pod, seen: Observation): { container: Container; latest: ObservedContainer }[] {
  return allContainersOf(pod).flatMap((container) => {
    const latest = newest(seen, container.name);
    return latest?.state === 'running' ? [{ container, latest }] : [];
  });
}

/** Sidecars stop after the others, the last one first. */
function planStops(pod: Pod, seen: Observation, cause: string): Plan {
  const alive = running(pod, seen);
  const sidecar = (container: Container): boolean => initContainersOf(pod).includes(container) && isSidecar(container);
  const main = alive.filter(({ container }) => !sidecar(container));
  const now = main.length > 0 ? main : alive.slice(-1);
  const graceMs = graceOf(pod, seen);
  const operations: Operation[] = now
    .filter(({ latest }) => !seen.stopping.has(latest.id))
    .map(({ container, latest }) => ({ type: 'stop', container: container.name, id: latest.id, graceMs, cause }));
  return { operations };
}

export function graceOf(pod: Pod, seen: Pick<Observation, 'gone'>): number {
  if (seen.gone) return 0;
  return (pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
}

class Planner {
  readonly #pod: Pod;
  readonly #seen: Observation;
  readonly #operations: Operation[] = [];
  #wakeAt: number | undefined;

  constructor(pod: Pod, seen: Observation) {
    this.#pod = pod;
    this.#seen = seen;
    this.#wakeAt = deadlineOf(pod);
  }

  plan(): Plan {
    return this.#wakeAt === undefined ? { operations: this.#operations } : { operations: this.#operations, wakeAt: this.#wakeAt };
  }

  /** In order, one after the other. True: all have done their part. */
  planInit(): boolean {
    const started = this.#pod.spec.containers.some((container) => newest(this.#seen, container.name));
    for (const container of initContainersOf(this.#pod)) {
      const latest = newest(this.#seen, container.name);
      const sidecar = isSidecar(container);
      if (sidecar && latest?.state === 'running') this.#keep(container, latest);
      if (initDone(container, this.#seen) || (started && !sidecar)) continue;
      if (latest?.state !== 'running') this.#startAgain(container, latest, sidecar || latest === undefined || !initFailed(this.#pod, this.#seen));
      if (!started) return false;
    }
    return true;
  }

  planContainers(): void {
    for (const container of this.#pod.spec.containers) {
      const latest = newest(this.#seen, container.name);
      if (latest?.state === 'running') this.#keep(container, latest);
      else this.#startAgain(container, latest, latest === undefined || latest.state === 'created' || restarts(this.#pod, container, latest));
    }
  }

  /** Once each, beside whatever else there is. */
  planEphemeral(): void {
    for (const container of ephemeralContainersOf(this.#pod)) this.#startAgain(container, undefined, newest(this.#seen, container.name) === undefined);
  }

  /** A running container goes on, unless a probe or a change of its spec says otherwise. */
  #keep(container: Container, latest: ObservedContainer): void {
    if (this.#seen.stopping.has(latest.id)) return;
    const graceMs = graceOf(this.#pod, this.#seen);
    const stop = (cause: string, ms: number, message: string): void =>
      void this.#operations.push({ type: 'stop', container: container.name, id: latest.id, graceMs: ms, cause, message: `Container ${container.name} ${message}, will be restarted` });
    const probe = this.#seen.probes.get(latest.id);
    if (probe?.alive === false) {
      const own = (probe.started ? container.livenessProbe : container.startupProbe)?.terminationGracePeriodSeconds;
      stop('its probe failed', own === undefined ? graceMs : own * 1000, `failed ${probe.started ? 'liveness' : 'startup'} probe`);
    } else if (latest.hash !== hashOf(container)) stop('its definition changed', graceMs, 'definition changed');
  }

  #startAgain(container: Container, latest: ObservedContainer | undefined, allowed: boolean): void {
    if (!allowed) return;
    const failure = this.#seen.failures.get(container.name);
    if (failure && failure.retryAt > this.#seen.now) {
      this.#wake(failure.retryAt);
      return;
    }
    if (!latest) {
      this.#operations.push({ type: 'start', container: container.name, attempt: 0, cause: 'it has not run yet' });
      return;
    }
    if (latest.state === 'created') {
      this.#operations.push({ type: 'discard', container: container.name, id: latest.id, cause: 'it was made and not started' });
      this.#operations.push({ type: 'start', container: container.name, attempt: latest.attempt, cause: 'it has not run yet' });
      return;
    }
    const at = restartTime(this.#seen, latest);
    if (at > this.#seen.now) this.#wake(at);
    else this.#operations.push({ type: 'start', container: container.name, attempt: latest.attempt + 1, cause: `it ended with ${latest.exitCode}` });
  }

  planDiscards(): void {
    for (const [name, attempts] of this.#seen.attempts) {
      for (const old of attempts.slice(2)) this.#operations.push({ type: 'discard', container: name, id: old.id, cause: 'newer attempts are kept' });
    }
  }

  #wake(at: number): void {
    this.#wakeAt = Math.min(at, this.#wakeAt ?? at);
  }
}

/** When a container that has ended may start again. */
export function restartTime(seen: Observation, ended: ObservedContainer): number {
  const agoMs = Math.max(seen.now - (ended.finishedAt ?? seen.now), ended.endedAgoMs ?? 0);
  return seen.now - agoMs + restartDelay(seen.streaks.get(ended.name) ?? ended.attempt + 1);
}

/** The part of a container's definition that a running one cannot follow: its image. */
export function hashOf(container: Container): string {
  return container.image ?? '';
}
