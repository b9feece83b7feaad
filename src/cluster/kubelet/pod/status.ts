/** The status of a pod, from its spec and an observation. Pure. */
import type { Container, ContainerState, ContainerStatus, Pod, PodCondition, PodStatus } from '#api/kube/types.ts';
import { qosClassOf } from '#api/kube/pods.ts';
import { isoSeconds } from '#lib/clock.ts';
import { ephemeralContainersOf, initContainersOf, initFailed, initialized, isSidecar, newest, pastDeadline, restarts } from './observed.ts';
import type { Observation, ObservedContainer } from './observed.ts';
import { restartTime } from './plan.ts';
import type { Refusal } from './refuse.ts';

export function podStatus(pod: Pod, seen: Observation): PodStatus {
  const before = pod.status ?? {};
  // Refused by a kubelet of before: nothing of it is here.
  if (before.phase === 'Failed' && before.message?.startsWith(rejected)) return before;
  if (seen.refused) return refusedStatus(pod, seen, seen.refused);
  const containerStatuses = pod.spec.containers.map((container) => containerStatus(pod, container, seen));
  const initStatuses = initContainersOf(pod).map((container) => containerStatus(pod, container, seen));
  const phase = phaseOf(pod, seen);
  const status: PodStatus = {
    phase,
    conditions: conditionsOf(pod, seen, phase, containerStatuses),
    hostIP: seen.nodeAddress,
    hostIPs: [{ ip: seen.nodeAddress }],
    startTime: before.startTime ?? isoSeconds(seen.now),
    qosClass: before.qosClass ?? qosClassOf(pod),
    containerStatuses,
  };
  const ip = seen.podIp ?? before.podIP;
  if (ip !== undefined) Object.assign(status, { podIP: ip, podIPs: [{ ip }] });
  if (initStatuses.length > 0) status.initContainerStatuses = initStatuses;
  const ephemeral = ephemeralContainersOf(pod).map((container) => containerStatus(pod, container, seen));
  if (ephemeral.length > 0) status.ephemeralContainerStatuses = ephemeral;
  if (pod.metadata.generation !== undefined) status.observedGeneration = pod.metadata.generation;
  if (pastDeadline(pod, seen.now)) Object.assign(status, { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' });
  return status;
}

const rejected = 'Pod was rejected: ';

/** No word of containers: none was begun, and `kubectl get` shows the reason where nothing else is said. */
function refusedStatus(pod: Pod, { now }: Observation, { reason, message }: Refusal): PodStatus {
  const { startTime = isoSeconds(now), qosClass = qosClassOf(pod) } = pod.status ?? {};
  return { phase: 'Failed', reason, message: `${rejected}${message}`, startTime, qosClass, ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }) };
}

function phaseOf(pod: Pod, seen: Observation): string {
  const before = pod.status?.phase;
  if (before === 'Succeeded' || before === 'Failed') return before;
  if (initFailed(pod, seen)) return 'Failed';
  const latest = pod.spec.containers.map((container) => newest(seen, container.name));
  if (pastDeadline(pod, seen.now) && latest.every((one) => one?.state !== 'running')) return 'Failed';
  if (!initialized(pod, seen)) return 'Pending';
  if (latest.some((one) => one === undefined || one.state === 'created')) return before === 'Running' ? 'Running' : 'Pending';
  const ended = latest.filter((one) => one!.state === 'exited').map((one) => one!);
  if (ended.length < latest.length) return 'Running';
  if (pod.metadata.deletionTimestamp || seen.gone) return ended.every((one) => one.exitCode === 0) ? 'Succeeded' : 'Failed';
  if (pod.spec.containers.some((container, index) => restarts(pod, container, latest[index]!))) return 'Running';
  return ended.every((one) => one.exitCode === 0) ? 'Succeeded' : 'Failed';
}

function conditionsOf(pod: Pod, seen: Observation, phase: string, statuses: readonly ContainerStatus[]): PodCondition[] {
  const over = phase === 'Succeeded' || phase === 'Failed';
  const done: Outcome = { reason: 'PodCompleted' };
  const uninitialized = initContainersOf(pod).filter((container) => !newest(seen, container.name) || !(isSidecar(container) || newest(seen, container.name)?.exitCode === 0));
  const unready = statuses.filter((status) => !status.ready).map((status) => status.name);
  const initial: Outcome = initialized(pod, seen) ? undefined : { reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${uninitialized.map((c) => c.name).join(' ')}]` };
  const ready: Outcome = phase === 'Succeeded' ? done : unready.length === 0 && !over ? undefined : { reason: phase === 'Failed' ? 'PodFailed' : 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const gates = (pod.spec.readinessGates ?? []).filter((gate) => !pod.status?.conditions?.some((c) => c.type === gate.conditionType && c.status === 'True'));
  const gated: Outcome = ready ?? (gates.length === 0 ? undefined : { reason: 'ReadinessGatesNotReady', message: gates.map((gate) => `corresponding condition of pod readiness gate "${gate.conditionType}" does not exist.`).join(', ') });
  return [
    condition(pod, seen, 'PodReadyToStartContainers', seen.sandbox && seen.podIp !== undefined ? undefined : {}),
    condition(pod, seen, 'Initialized', phase === 'Succeeded' ? undefined : initial),
    condition(pod, seen, 'Ready', gated),
    condition(pod, seen, 'ContainersReady', ready),
    condition(pod, seen, 'PodScheduled', undefined),
  ];
}

/** Undefined: it holds. */
type Outcome = { reason?: string; message?: string } | undefined;

function condition(pod: Pod, seen: Observation, type: string, why: Outcome): PodCondition {
  const status = why === undefined ? 'True' : 'False';
  const before = pod.status?.conditions?.find((known) => known.type === type);
  const lastTransitionTime = before?.status === status && before.lastTransitionTime ? before.lastTransitionTime : isoSeconds(seen.now);
  const built: PodCondition = { type, status, lastTransitionTime };
  if (pod.metadata.generation !== undefined) built.observedGeneration = pod.metadata.generation;
  if (why?.reason) built.reason = why.reason;
  if (why?.message) built.message = why.message;
  return built;
}

function containerStatus(pod: Pod, container: Container, seen: Observation): ContainerStatus {
  const [latest, previous] = seen.attempts.get(container.name) ?? [];
  const { containerStatuses = [], initContainerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  const before = [...containerStatuses, ...initContainerStatuses, ...ephemeralContainerStatuses].find((known) => known.name === container.name);
  // how it ended is known, though nothing of it is left here
  if (!latest && before?.state?.terminated) return before;
  const waiting = waitingState(pod, container, latest, seen);
  const probe = latest ? seen.probes.get(latest.id) : undefined;
  const isRunning = latest?.state === 'running';
  const started = isRunning && (probe?.started ?? true);
  const plainInit = initContainersOf(pod).includes(container) && !isSidecar(container);
  const status: ContainerStatus = {
    name: container.name,
    state: waiting ?? stateOf(latest!),
    lastState: lastStateOf(waiting ? latest : previous) ?? (latest ? {} : (before?.lastState ?? {})),
    ready: plainInit ? latest?.exitCode === 0 : started && (probe?.ready ?? container.readinessProbe === undefined),
    restartCount: latest?.attempt ?? before?.restartCount ?? 0,
    image: latest?.image ?? container.image ?? '',
    imageID: latest?.imageId ?? '',
    started: plainInit ? isRunning : started,
  };
  if (latest) status.containerID = `gantry://${latest.id}`;
  return status;
}

/** Undefined where it runs, or ended and stays so. */
function waitingState(pod: Pod, container: Container, latest: ObservedContainer | undefined, seen: Observation): ContainerState | undefined {
  if (latest?.state === 'running') return undefined;
  const ending = seen.gone || pod.metadata.deletionTimestamp !== undefined;
  const failure = seen.failures.get(container.name);
  const isInit = initContainersOf(pod).includes(container);
  const isEphemeral = (pod.spec.ephemeralContainers ?? []).some((candidate) => candidate.name === container.name);
  const again = latest?.state === 'exited' && !isEphemeral && (isInit && !isSidecar(container) ? latest.exitCode !== 0 : true) && restarts(pod, container, latest);
  if (latest?.state === 'exited' && (ending || !again)) return undefined;
  if (failure) return { waiting: waitingFor(container, failure) };
  if (latest?.state === 'exited') {
    const at = restartTime(seen, latest);
    if (at <= seen.now) return undefined;
    const message = `back-off ${Math.round((at - latest.finishedAt!) / 1000)}s restarting failed container=${container.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
    return { waiting: { reason: 'CrashLoopBackOff', message } };
  }
  const reason = !isInit && initContainersOf(pod).length > 0 && !initialized(pod, seen) ? 'PodInitializing' : 'ContainerCreating';
  return { waiting: { reason } };
}

/** The first failed pull is an error, the waiting after it a back-off. */
function waitingFor(container: Container, { reason, message, count }: { reason: string; message: string; count: number }): { reason: string; message: string } {
  if (reason !== 'ErrImagePull' || count < 2) return { reason, message };
  return { reason: 'ImagePullBackOff', message: `Back-off pulling image "${container.image}": ErrImagePull: ${message}` };
}

function stateOf(container: ObservedContainer): ContainerState {
  if (container.state === 'running') return { running: { startedAt: isoSeconds(container.startedAt!) } };
  if (container.state === 'created') return { waiting: { reason: 'ContainerCreating' } };
  return {
    terminated: {
      exitCode: container.exitCode!,
      reason: container.reason ?? (container.exitCode === 0 ? 'Completed' : 'Error'),
      ...(container.message ? { message: container.message } : {}),
      startedAt: isoSeconds(container.startedAt ?? container.finishedAt!),
      finishedAt: isoSeconds(container.finishedAt!),
      containerID: `gantry://${container.id}`,
    },
  };
}

function lastStateOf(container: ObservedContainer | undefined): ContainerState | undefined {
  return container?.state === 'exited' ? stateOf(container) : undefined;
}
