import type { Deployment, Pod, ReplicaSet, ReplicationController } from '#api/kube/types.ts';
import { monotonicMs } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { isActivePod, isFinishedPod, isReadyPod } from '#cluster/machinery/pods.ts';
import type { Decisions } from './decisions.ts';
import type { Faults } from './faults.ts';
import { Versions } from './versions.ts';

const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas';
/** The longest that one row of requests takes, in milliseconds: they are slow, and are made again. */
const longestDecisionMs = 5 * 60_000;
/** What a scaled deployment gives up goes within this, in milliseconds. */
const scalingMs = 10_000;

type SetKind = 'ReplicaSet' | 'ReplicationController';
type Sized = ReplicaSet | ReplicationController;

/** What a deployment allows its rollout: worked out here anew, not by the controller's own sums. */
interface Bounds {
  most: number;
  least: number;
  recreates: boolean;
  paused: boolean;
  minReadySeconds: number;
}

interface Size {
  size: number;
  available: number;
}

/** Sizes, availability and the pods themselves, judged by what the controllers had been told when they decided. */
export class Rollouts {
  readonly #decisions: Decisions;
  readonly #clock: Clock;
  readonly #isPrompt: boolean;
  readonly #say: (problem: string) => void;
  /** When a deployment last gave up pods for being scaled. */
  readonly #scaled = new Map<string, number>();
  readonly #bounds = new Versions<Bounds>(longestDecisionMs);
  /** By kind: controllers are told of each by a watch of its own. */
  readonly #sizes = { ReplicaSet: new Versions<Size>(longestDecisionMs), ReplicationController: new Versions<Size>(longestDecisionMs) };
  /** By uid. */
  readonly #sets = new Map<string, Sized>();
  /** By the uid of their controller, and by key. */
  readonly #podsOf = new Map<string, Map<string, { pod: Pod; created: number }>>();

  constructor(decisions: Decisions, clock: Clock, faults: Faults, say: (problem: string) => void) {
    this.#decisions = decisions;
    this.#clock = clock;
    this.#isPrompt = isPrompt(faults);
    this.#say = say;
  }

  told(resource: string, revision: number, now: number): void {
    if (resource === 'deployments') this.#bounds.told(revision, now);
    else if (resource === 'replicasets') this.#sizes.ReplicaSet.told(revision, now);
    else if (resource === 'replicationcontrollers') this.#sizes.ReplicationController.told(revision, now);
  }

  onDeployment(deployment: Deployment | undefined, revision: number): void {
    if (deployment) this.#bounds.add(deployment.metadata.uid ?? '', boundsOf(deployment), revision);
  }

  onSet(key: string, set: Sized | undefined, before: Sized | undefined, revision: number): void {
    if (before && before.metadata.uid !== set?.metadata.uid) this.#sets.delete(before.metadata.uid ?? '');
    if (!set) return;
    const uid = set.metadata.uid ?? '';
    this.#sets.set(uid, set);
    this.#sizes[set.kind as SetKind].add(uid, { size: sizeOf(set), available: set.status?.availableReplicas ?? 0 }, revision);
    const owner = controllerOf(set);
    if (owner?.kind !== 'Deployment') return;
    const same = before?.metadata.uid === uid ? before : undefined;
    if (same && controllerOf(same)?.uid !== owner.uid) return;
    const was = same ? sizeOf(same) : 0;
    if (sizeOf(set) > was) this.#onGrown(key, owner.uid, set, was);
    else if (sizeOf(set) < was && same) this.#onShrunk(key, owner.uid, set, same);
  }

  onPod(key: string, pod: Pod | undefined, before: Pod | undefined, revision: number): void {
    const created = this.#podsOf.get(ownerOf(before))?.get(key)?.created ?? revision;
    this.#podsOf.get(ownerOf(before))?.delete(key);
    if (before && isActivePod(before) && isReadyPod(before) && !(pod && isActivePod(pod))) this.#onServingLost(key, before);
    if (!pod) return;
    const owner = ownerOf(pod);
    const owned = this.#podsOf.get(owner) ?? new Map<string, { pod: Pod; created: number }>();
    this.#podsOf.set(owner, owned.set(key, { pod, created }));
    if (!before && owner !== '') this.#onPodCreated(key, owner);
  }

  #setsOf(deployment: string): Sized[] {
    return [...this.#sets.values()].filter((set) => controllerOf(set)?.uid === deployment);
  }

  #sizesSince(uid: string, at: number): Size[] {
    return Object.values(this.#sizes).flatMap((sizes) => sizes.since(uid, at));
  }

  /** A set never has more pods than it wanted when it decided to make them. */
  #onPodCreated(key: string, owner: string): void {
    const decision = this.#decisions.of(owner);
    if (!decision) return;
    const most = Math.max(...this.#sizesSince(owner, decision.since).map(({ size }) => size));
    const active = [...(this.#podsOf.get(owner)?.values() ?? [])].filter(({ pod }) => isActivePod(pod)).length;
    if (active > most) this.#say(`pod ${key} is number ${active} of its set, which wanted ${most} at most`);
  }

  #onGrown(key: string, deployment: string, set: Sized, was: number): void {
    const decision = this.#decisions.of(deployment);
    if (!decision) return;
    const bounds = this.#bounds.since(deployment, decision.since);
    const most = Math.max(...bounds.map((one) => one.most));
    const sets = this.#setsOf(deployment);
    const total = sets.reduce((sum, one) => sum + sizeOf(one), 0);
    if (total > most) this.#say(`${key} grew from ${was} to ${sizeOf(set)}: ${total} replicas in all where ${most} are allowed`);
    if (!bounds.every(({ recreates, paused }) => recreates && !paused)) return;
    const others = sets.filter((one) => one.metadata.uid !== set.metadata.uid).flatMap((one) => [...(this.#podsOf.get(one.metadata.uid ?? '')?.entries() ?? [])]);
    const known = others.filter(([, { pod, created }]) => !isFinishedPod(pod) && created <= decision.pods).map(([name]) => name);
    if (known.length > 0 && was === 0) this.#say(`${key} of a deployment that recreates begins while there is ${known.join(', ')}`);
  }

  /** By their status, and never more than their size: of a set that shrinks some are on their way out. */
  #onShrunk(key: string, deployment: string, set: Sized, before: Sized): void {
    const decision = this.#decisions.of(deployment);
    if (!decision) return;
    const bounds = this.#bounds.since(deployment, decision.since);
    // A deployment that is scaled itself, or that stands still, keeps its proportions and not its availability.
    const scaled = before.metadata.annotations?.[desiredAnnotation] !== set.metadata.annotations?.[desiredAnnotation];
    if (scaled || bounds.some(({ paused }) => paused)) {
      this.#scaled.set(deployment, monotonicMs(this.#clock));
      return;
    }
    const told = (uid: string | undefined): number[] => this.#sizesSince(uid ?? '', decision.since).map(({ available }) => available);
    const size = sizeOf(set);
    if (Math.min(...told(set.metadata.uid)) <= size) return;
    const least = Math.min(...bounds.map((one) => one.least));
    const available = this.#setsOf(deployment).reduce((sum, one) => sum + Math.min(sizeOf(one), Math.max(0, ...told(one.metadata.uid))), 0);
    if (available < least) this.#say(`${key} shrank from ${sizeOf(before)} to ${size}: ${available} pods stay available where ${least} must`);
  }

  /**
   * Where nothing is told late, the pods that a set gives up are not those that must serve.
   * @param pod as it was
   */
  #onServingLost(key: string, pod: Pod): void {
    const set = this.#sets.get(ownerOf(pod));
    const deployment = set && controllerOf(set)?.uid;
    if (deployment === undefined || !this.#isPrompt || !this.#decisions.isGivenUp(pod)) return;
    const now = monotonicMs(this.#clock);
    const bounds = this.#bounds.since(deployment, now);
    if (now - (this.#scaled.get(deployment) ?? -Infinity) < scalingMs || bounds.some(({ paused, minReadySeconds }) => paused || minReadySeconds > 0)) return;
    const pods = this.#setsOf(deployment).flatMap((one) => [...(this.#podsOf.get(one.metadata.uid ?? '')?.entries() ?? [])]);
    const left = pods.filter(([name, { pod: other }]) => name !== key && isActivePod(other) && isReadyPod(other)).length;
    const least = Math.min(...bounds.map((one) => one.least));
    if (left === least - 1) this.#say(`pod ${key} was given up: ${left} ready pods are left where ${least} must be`);
  }
}

/** Whether everybody is told everything at once. */
const isPrompt = ({ store, request, watch }: Faults): boolean => [...Object.values(store), ...Object.values(request), ...Object.values(watch)].every((share) => share === 0);
const sizeOf = (set: Sized): number => set.spec?.replicas ?? 1;
const ownerOf = (pod: Pod | undefined): string => (pod && controllerOf(pod)?.uid) ?? '';

function boundsOf({ spec: { replicas: wanted = 1, strategy, paused = false, minReadySeconds = 0 } }: Deployment): Bounds {
  if (strategy?.type === 'Recreate') return { most: wanted, least: 0, recreates: true, paused, minReadySeconds };
  const { maxSurge = '25%', maxUnavailable = '25%' } = strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, wanted, Math.ceil);
  const unavailable = share(maxUnavailable, wanted, Math.floor);
  return { most: wanted + surge, least: wanted - (surge === 0 && unavailable === 0 ? 1 : unavailable), recreates: false, paused, minReadySeconds };
}

/** A number, or a percentage of another one. */
function share(value: number | string, of: number, round: (value: number) => number): number {
  return typeof value === 'number' ? value : round((Number(value.replace('%', '')) * of) / 100);
}
