/** What a worker sees of its pod in one turn: everything that planning and reporting may depend on. */
import type { Container, Pod } from '#api/kube/types.ts';
import type { Refusal } from './refuse.ts';

export interface ObservedContainer {
  id: string;
  name: string;
  attempt: number;
  state: 'created' | 'running' | 'exited';
  startedAt?: number;
  finishedAt?: number;
  /** How long ago, at least, it ended, in milliseconds: the time of day may have been set since. */
  endedAgoMs?: number;
  exitCode?: number;
  /** `OOMKilled`, `StartError`, …; absent for the usual ones. */
  reason?: string;
  message?: string;
  /** Of the part of the spec that a running container cannot follow. */
  hash: string;
  image: string;
  imageId: string;
}

/** Why something is not there yet, and when it is tried again. */
export interface Failure {
  /** `ErrImagePull`, `CreateContainerConfigError`, … */
  reason: string;
  message: string;
  /** How often in a row. */
  count: number;
  retryAt: number;
}

export interface ProbeState {
  /** The startup probe has succeeded, or there is none. */
  started: boolean;
  ready: boolean;
  /** False: liveness or startup has failed, the container is to be restarted. */
  alive: boolean;
}

export interface Observation {
  now: number;
  nodeAddress: string;
  /** The object is gone from the API: stop at once. */
  gone: boolean;
  /** Volumes, sandbox and network are there. */
  prepared: boolean;
  /** The pod has a sandbox, with its address. */
  sandbox: boolean;
  /** Something of the pod is on the node: sandbox, directory or container. */
  anything: boolean;
  podIp?: string;
  /** Newest attempt first, at most two, by container name. */
  attempts: ReadonlyMap<string, readonly ObservedContainer[]>;
  /** Ids that are being stopped. */
  stopping: ReadonlySet<string>;
  probes: ReadonlyMap<string, ProbeState>;
  /** By container name; '' is the pod itself. */
  failures: ReadonlyMap<string, Failure>;
  /** Restarts in a row after short runs, by container name. */
  streaks: ReadonlyMap<string, number>;
  /** This node will not run the pod. */
  refused?: Refusal;
}

export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

export function initContainersOf(pod: Pod): readonly Container[] {
  return pod.spec.initContainers ?? [];
}

/** Containers that were added to look into the pod: each runs once. */
export function ephemeralContainersOf(pod: Pod): readonly Container[] {
  return (pod.spec.ephemeralContainers ?? []).map(({ targetContainerName: _, ...container }) => container);
}

/** Of all three kinds. */
export function allContainersOf(pod: Pod): readonly Container[] {
  return [...initContainersOf(pod), ...pod.spec.containers, ...ephemeralContainersOf(pod)];
}

export function newest(seen: Pick<Observation, 'attempts'>, name: string): ObservedContainer | undefined {
  return seen.attempts.get(name)?.[0];
}

/** Whether an ended container is to run again: by its rule for this exit code, by its own policy, else by its pod's. */
export function restarts(pod: Pod, container: Container, ended: ObservedContainer): boolean {
  const fits = (container.restartPolicyRules ?? []).some(({ exitCodes }) =>
    exitCodes !== undefined && (exitCodes.values ?? []).includes(ended.exitCode ?? 0) === (exitCodes.operator === 'In'));
  if (fits) return true;
  const policy = container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && ended.exitCode !== 0);
}

/** The init containers have all done their part: ended well, or started where they stay. */
export function initialized(pod: Pod, seen: Observation): boolean {
  // Once a container of the pod has run, initialisation is over, whatever happens to a sidecar.
  if (pod.spec.containers.some((container) => newest(seen, container.name))) return true;
  return initContainersOf(pod).every((container) => initDone(container, seen));
}

export function initDone(container: Container, seen: Observation): boolean {
  const latest = newest(seen, container.name);
  if (!latest) return false;
  if (isSidecar(container)) return latest.state === 'running' && (seen.probes.get(latest.id)?.started ?? false);
  return latest.state === 'exited' && latest.exitCode === 0;
}

/** An init container has failed for good. */
export function initFailed(pod: Pod, seen: Observation): boolean {
  return initContainersOf(pod).some((container) => {
    const latest = newest(seen, container.name);
    return !isSidecar(container) && latest?.state === 'exited' && latest.exitCode !== 0 && !restarts(pod, container, latest);
  });
}

/** No container will ever run again. */
export function isOver(pod: Pod, seen: Observation): boolean {
  if (seen.refused || initFailed(pod, seen)) return true;
  return pod.spec.containers.every((container) => {
    const latest = newest(seen, container.name);
    return latest?.state === 'exited' && !restarts(pod, container, latest);
  });
}

/** When the pod has been active for as long as it may be. */
export function deadlineOf(pod: Pod): number | undefined {
  const seconds = pod.spec.activeDeadlineSeconds;
  const start = pod.status?.startTime;
  return seconds === undefined || start === undefined ? undefined : Date.parse(start) + seconds * 1000;
}

export function pastDeadline(pod: Pod, now: number): boolean {
  return now >= (deadlineOf(pod) ?? Infinity);
}
