import { createHash } from 'node:crypto';
import type { Deployment, KubeObject, Pod, ReplicaSet } from '#api/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { isActivePod, isReadyPod } from '#cluster/machinery/pods.ts';
import { leeway, wantedOf } from '#cluster/controllers/deployment/numbers.ts';
import type { StoredRecord } from '#core/store/mvcc/backend.ts';

/**
 * How far behind a controller may be, in milliseconds, where something goes wrong on the way: what was wanted this long
 * ago may still be acted upon.
 */
const behindMs = 60_000;
const revisionAnnotation = 'deployment.kubernetes.io/revision';
const keysThatBeat = /^\/registry\/(leases\.coordination\.k8s\.io|nodes|events)\//;

interface Wanted {
  at: number;
  /** Most pods that may be, fewest that must be available. */
  most: number;
  least: number;
}

/** Follows every commit as it becomes durable, and says at once what must never be. */
export class History {
  readonly problems: string[] = [];
  /** Commits of anything but heartbeats and events. */
  changes = 0;
  readonly #clock: Clock;
  readonly #hash = createHash('sha256');
  readonly #pods = new Map<string, Pod>();
  readonly #podsOfOwner = new Map<string, Set<string>>();
  readonly #sets = new Map<string, ReplicaSet>();
  readonly #deployments = new Map<string, Deployment>();
  /** By uid: what was wanted of a deployment, or of a set, newest last. */
  readonly #wanted = new Map<string, Wanted[]>();
  readonly #nodeOf = new Map<string, string>();
  readonly #troubled = new Map<string, number>();
  readonly #lastChanged = new Map<string, number>();
  #revision = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  /** Keys that were written since then. */
  changedSince(ms: number): string[] {
    return [...this.#lastChanged].filter(([, at]) => at >= ms).map(([key]) => key);
  }

  note(line: string): void {
    this.#hash.update(line);
  }

  readonly onCommit = (records: readonly StoredRecord[]): void => {
    for (const record of records) {
      this.#hash.update(`${record.revision}.${record.sub} ${record.key} ${record.deleted}`).update(record.value);
      if (record.sub === 0 && record.revision !== this.#revision + 1) this.#problem(`revision ${record.revision} follows ${this.#revision}`);
      this.#revision = record.revision;
      if (keysThatBeat.test(record.key)) continue;
      this.changes++;
      this.#lastChanged.set(record.key, this.#clock.now());
      const folder = record.key.split('/')[2];
      if (folder === 'pods') this.#onPod(record.key, objectOf<Pod>(record));
      else if (folder === 'replicasets.apps') this.#onSet(record.key, objectOf<ReplicaSet>(record));
      else if (folder === 'deployments.apps') this.#onDeployment(record.key, objectOf<Deployment>(record));
    }
  };

  #problem(what: string): void {
    this.problems.push(`at ${((this.#clock.now() - Date.UTC(2026, 0, 1)) / 1000).toFixed(3)}s, revision ${this.#revision}: ${what}`);
  }

  #onPod(key: string, pod: Pod | undefined): void {
    const before = this.#pods.get(key);
    if (before) this.#podsOfOwner.get(controllerOf(before)?.uid ?? '')?.delete(key);
    if (!pod) {
      this.#pods.delete(key);
      if (before) this.#notePodLoss(before);
      return;
    }
    this.#pods.set(key, pod);
    const owner = controllerOf(pod)?.uid ?? '';
    const owned = this.#podsOfOwner.get(owner) ?? new Set();
    this.#podsOfOwner.set(owner, owned.add(key));
    const uid = pod.metadata.uid ?? '';
    const node = pod.spec.nodeName ?? '';
    const had = this.#nodeOf.get(uid) ?? '';
    if (had !== '' && node !== had) this.#problem(`pod ${key} moved from ${had} to ${node || 'no node'}`);
    if (node !== '') this.#nodeOf.set(uid, node);
    if (!before) this.#onPodCreated(key, pod);
    else if (before.metadata.uid !== uid) this.#problem(`pod ${key} became another one without being deleted`);
    else if (before.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp === undefined) this.#problem(`pod ${key} is no longer being deleted`);
    else if (isActivePod(before) && (!isActivePod(pod) || (isReadyPod(before) && !isReadyPod(pod)))) this.#notePodLoss(before);
  }

  #onPodCreated(key: string, pod: Pod): void {
    const owner = controllerOf(pod);
    const wanted = owner?.kind === 'ReplicaSet' ? this.#recently(owner.uid) : [];
    if (!owner || wanted.length === 0) return;
    const most = Math.max(...wanted.map((one) => one.most));
    const active = this.#activePods(owner.uid).length;
    if (active > most) this.#problem(`pod ${key} is number ${active} of ${owner.name}, which wanted ${most} at most`);
  }

  #notePodLoss(pod: Pod): void {
    const set = controllerOf(pod)?.uid;
    const deployment = set && [...this.#sets.values()].find(({ metadata }) => metadata.uid === set);
    const owner = deployment && controllerOf(deployment)?.uid;
    if (owner !== undefined) this.#troubled.set(owner, this.#clock.now());
  }

  #activePods(owner: string): Pod[] {
    return [...(this.#podsOfOwner.get(owner) ?? [])].map((key) => this.#pods.get(key) as Pod).filter(isActivePod);
  }

  #onSet(key: string, set: ReplicaSet | undefined): void {
    const before = this.#sets.get(key);
    if (!set) {
      this.#sets.delete(key);
      return;
    }
    this.#sets.set(key, set);
    const uid = set.metadata.uid ?? '';
    const size = set.spec.replicas ?? 1;
    const was = before?.metadata.uid === uid ? before.spec.replicas ?? 1 : 0;
    if (size !== was || !before) this.#want(uid, { most: size, least: 0 });
    if (before?.metadata.uid === uid) this.#refuseOlderRevision(key, before, set);
    const owner = controllerOf(set);
    if (owner?.kind === 'Deployment' && before?.metadata.uid === uid && controllerOf(before)?.uid === owner.uid) this.#onResized(key, owner.uid, was, size);
    else if (owner?.kind === 'Deployment' && !before) this.#onResized(key, owner.uid, 0, size);
  }

  /** The deployment controller made a set larger or smaller. */
  #onResized(key: string, deployment: string, was: number, size: number): void {
    const wanted = this.#recently(deployment);
    if (wanted.length === 0 || was === size) return;
    const sets = [...this.#sets.values()].filter((set) => controllerOf(set)?.uid === deployment);
    if (size > was) {
      const most = Math.max(...wanted.map((one) => one.most));
      const total = sets.reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0);
      if (total > most) this.#problem(`${key} grew from ${was} to ${size}: ${total} replicas in all where ${most} are allowed`);
      return;
    }
    // What broke or was taken away meanwhile is not the controller's doing.
    if (this.#clock.now() - (this.#troubled.get(deployment) ?? -Infinity) < behindMs) return;
    const least = Math.min(...wanted.map((one) => one.least));
    const own = this.#activePods(this.#sets.get(key)?.metadata.uid ?? '').filter(isReadyPod).length;
    // What it gave up did not serve.
    if (own <= size) return;
    const available = sets.reduce((sum, set) => sum + Math.min(set.spec.replicas ?? 1, this.#activePods(set.metadata.uid ?? '').filter(isReadyPod).length), 0);
    if (available < least) this.#problem(`${key} shrank from ${was} to ${size}: ${available} pods stay available where ${least} must`);
  }

  #onDeployment(key: string, deployment: Deployment | undefined): void {
    const before = this.#deployments.get(key);
    if (!deployment) {
      this.#deployments.delete(key);
      return;
    }
    this.#deployments.set(key, deployment);
    const uid = deployment.metadata.uid ?? '';
    const wanted = wantedOf(deployment);
    const { surge, unavailable } = leeway(deployment);
    const rolling = deployment.spec.strategy?.type !== 'Recreate';
    this.#want(uid, { most: wanted + surge, least: rolling ? wanted - unavailable : 0 });
    if (before?.metadata.uid === uid) this.#refuseOlderRevision(key, before, deployment);
  }

  #refuseOlderRevision(key: string, before: KubeObject | Deployment | ReplicaSet, after: KubeObject | Deployment | ReplicaSet): void {
    const revision = (object: typeof before): number => Number(object.metadata.annotations?.[revisionAnnotation] ?? '0');
    if (revision(after) < revision(before)) this.#problem(`${key} went from revision ${revision(before)} to ${revision(after)}`);
  }

  #want(uid: string, wanted: Omit<Wanted, 'at'>): void {
    const all = this.#wanted.get(uid) ?? [];
    const last = all.at(-1);
    if (last?.most === wanted.most && last.least === wanted.least) return;
    this.#wanted.set(uid, [...all, { ...wanted, at: this.#clock.now() }]);
  }

  /** What was wanted at any time within the reach of a controller that is behind. */
  #recently(uid: string): Wanted[] {
    const all = this.#wanted.get(uid) ?? [];
    const since = this.#clock.now() - behindMs;
    return all.filter((_, i) => (all[i + 1]?.at ?? Infinity) >= since);
  }
}

function objectOf<T>({ deleted, value }: StoredRecord): T | undefined {
  return deleted ? undefined : (JSON.parse(Buffer.from(value).toString()) as T);
}
