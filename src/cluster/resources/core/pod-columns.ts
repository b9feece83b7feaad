/** A pod's row: how far its containers are, in one word. */
import type { Container, ContainerStatus, Pod, PodStatus } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf, orNone, sinceTime, wideColumn } from '../columns.ts';
import type { Cell, Column, RowContext } from '../types.ts';

export const podColumns: readonly Column[] = [
  nameColumn,
  column('Ready', 'How many of the containers are ready for traffic.'),
  column('Status', 'What the containers are doing, in one word.'),
  column('Restarts', 'How often containers were restarted, and when the last one was.'),
  ageColumn,
  wideColumn('IP', "The pod's address, empty until there is one."),
  wideColumn('Node', 'The node it is on.'),
  wideColumn('Nominated Node', 'The node that room is being made on.'),
  wideColumn('Readiness Gates', 'How many of the readiness gates hold.'),
];

export function podRow(pod: Pod, context: RowContext): Cell[] {
  const status = pod.status ?? {};
  const { ready, total, reason, restarts, lastRestart } = summarize(pod, status);
  const since = restarts > 0 && lastRestart !== undefined ? ` (${sinceTime(lastRestart, context)} ago)` : '';
  return [
    nameOf(pod), `${ready}/${total}`, reason, `${restarts}${since}`, ageOf(pod, context),
    orNone(status.podIPs?.[0]?.ip ?? status.podIP), orNone(pod.spec.nodeName), orNone(status.nominatedNodeName), gates(pod, status),
  ];
}

interface Summary {
  ready: number;
  total: number;
  reason: string;
  restarts: number;
  lastRestart?: string;
}

function summarize(pod: Pod, status: PodStatus): Summary {
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(isSidecar).map((container) => container.name));
  const summary: Summary = {
    ready: 0, total: (pod.spec.containers ?? []).length + sidecars.size, reason: phaseReason(status), restarts: 0,
  };
  const initializing = addInitContainers(summary, pod, status, sidecars);
  if (!initializing || conditionHolds(status, 'Initialized')) addContainers(summary, status, sidecars);
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === 'NodeLost') summary.reason = 'Unknown';
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') summary.reason = 'Terminating';
  }
  return summary;
}

function phaseReason(status: PodStatus): string {
  const gated = (status.conditions ?? []).some((c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated');
  return gated ? 'SchedulingGated' : (status.reason ?? status.phase ?? '');
}

function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/** Whether an init container is still to finish; the reason then says which, or what is wrong with it. */
function addInitContainers(summary: Summary, pod: Pod, status: PodStatus, sidecars: Set<string>): boolean {
  for (const [index, container] of (status.initContainerStatuses ?? []).entries()) {
    addRestarts(summary, container);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecars.has(container.name) && container.started === true) {
      if (container.ready) summary.ready += 1;
      continue;
    }
    if (terminated !== undefined) summary.reason = `Init:${terminatedReason(terminated)}`;
    else if (waiting?.reason !== undefined && waiting.reason !== '' && waiting.reason !== 'PodInitializing') summary.reason = `Init:${waiting.reason}`;
    else summary.reason = `Init:${index}/${pod.spec.initContainers?.length ?? 0}`;
    return true;
  }
  return false;
}

function addContainers(summary: Summary, status: PodStatus, sidecars: Set<string>): void {
  // Restarts of init containers that are done do not count any more.
  summary.restarts = 0;
  delete summary.lastRestart;
  for (const container of status.initContainerStatuses ?? []) if (sidecars.has(container.name)) addRestarts(summary, container);
  let running = false;
  for (const container of [...(status.containerStatuses ?? [])].reverse()) {
    addRestarts(summary, container);
    const { terminated, waiting, running: run } = container.state ?? {};
    if (waiting?.reason !== undefined && waiting.reason !== '') summary.reason = waiting.reason;
    else if (terminated !== undefined) summary.reason = terminatedReason(terminated);
    else if (container.ready && run !== undefined) {
      running = true;
      summary.ready += 1;
    }
  }
  if (summary.reason === 'Completed' && running) summary.reason = conditionHolds(status, 'Ready') ? 'Running' : 'NotReady';
}

function terminatedReason(terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason !== undefined && terminated.reason !== '') return terminated.reason;
  return terminated.signal !== undefined && terminated.signal !== 0 ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

function addRestarts(summary: Summary, container: ContainerStatus): void {
  summary.restarts += container.restartCount;
  const finished = container.lastState?.terminated?.finishedAt;
  if (finished !== undefined && (summary.lastRestart === undefined || finished > summary.lastRestart)) summary.lastRestart = finished;
}

function conditionHolds(status: PodStatus, type: string): boolean {
  return (status.conditions ?? []).some((condition) => condition.type === type && condition.status === 'True');
}

function gates(pod: Pod, status: PodStatus): string {
  const wanted = pod.spec.readinessGates ?? [];
  if (wanted.length === 0) return '<none>';
  return `${wanted.filter((gate) => conditionHolds(status, gate.conditionType)).length}/${wanted.length}`;
}
