/** Which attempt of which container a request is about. */
import type { Pod } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { attemptsOf } from '../pod/attempts.ts';
import { allContainersOf } from '../pod/observed.ts';
import type { ObservedContainer } from '../pod/observed.ts';
import type { NodeContext } from '../types.ts';

/** What the server needs to know of the pods. */
export interface PodLookup {
  find(namespace: string, name: string): Pod | undefined;
}

export interface Target {
  pod: Pod;
  uid: string;
  attempt: ObservedContainer;
}

export function findPod(pods: PodLookup, namespace: string, name: string): Pod {
  const pod = pods.find(namespace, name);
  if (!pod) throw new Fault('not-found', `pod ${namespace}/${name} does not exist on this node`);
  return pod;
}

/** The newest attempt (or the one before). `invalid` where the container has not run yet. */
export function findAttempt(node: NodeContext, pod: Pod, container: string, previous = false): Target {
  const { metadata, status } = pod;
  const known = allContainersOf(pod).some((candidate) => candidate.name === container);
  if (!known) throw new Fault('not-found', `container ${container} is not valid for pod ${metadata.name}`);
  const attempts = (attemptsOf(node, metadata.uid!).get(container) ?? []).filter((attempt) => attempt.state !== 'created');
  const attempt = attempts[previous ? 1 : 0];
  if (attempt) return { pod, uid: metadata.uid!, attempt };
  if (previous) throw new Fault('invalid', `previous terminated container "${container}" in pod "${metadata.name}" not found`);
  const state = [...(status?.ephemeralContainerStatuses ?? []), ...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find((one) => one.name === container)?.state;
  throw new Fault('invalid', `container "${container}" in pod "${metadata.name}" is waiting to start: ${state?.waiting?.reason ?? 'ContainerCreating'}`);
}

/** The running attempt, for exec and attach. */
export function findRunning(node: NodeContext, pod: Pod, container: string): Target {
  const target = findAttempt(node, pod, container);
  if (target.attempt.state !== 'running') throw new Fault('invalid', `container not found: "${container}" of pod "${pod.metadata.name}" is not running`);
  return target;
}

/** The pod's network namespace; undefined where it shares the node's. `what` is what cannot be done while it has none. */
export function networkOf(node: NodeContext, pod: Pod, what: string): string | undefined {
  if (pod.spec.hostNetwork) return undefined;
  const path = node.core.sandboxes.get(pod.metadata.uid!)?.netPath;
  if (path === undefined) throw new Fault('invalid', `unable to ${what} because pod is not running. Current status=${pod.status?.phase ?? 'Pending'}`);
  return path;
}
