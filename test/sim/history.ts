import { createHash } from 'node:crypto';
import type { Deployment, KubeObject, Pod, ReplicaSet } from '#api/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { isActivePod, isReadyPod } from '#cluster/machinery/pods.ts';
import { leeway, wantedOf } from '#cluster/controllers/deployment/numbers.ts';
import type { Faults } from './faults.ts';
import type { StoredRecord } from '#core/store/mvcc/backend.ts';

/** What a controller was told last is acted upon for this long, in milliseconds; longer where requests or the disk are slow. */
const actingMs = 2000;
const actingSlowlyMs = 30_000;
/** What pods lose shows in their sets, and is told to who reads those, within this, in milliseconds. */
const troubleMs = 60_000;
/** Writes without any time passing, at most. */
const mostInNoTime = 2000;
const revisionAnnotation = 'deployment.kubernetes.io/revision';
const keysThatBeat = /^\/registry\/(leases\.coordination\.k8s\.io|nodes|events)\//;

type Sized = 'deployments' | 'replicasets';

interface Wanted {
  revision: number;
  /** When the controllers were told of what came after. */
  leftAt: number | undefined;
  /** Most pods that may be; of a deployment the fewest that must be available, of a set those that it says are. */
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
  readonly #wantedOf = { deployments: new Map<string, Wanted[]>(), replicasets: new Map<string, Wanted[]>() };
  readonly #nodeOf = new Map<string, string>();
  readonly #troubled = new Map<string, number>();
  readonly #lastChanged = new Map<string, number>();
  #revision = 0;
  #instant = { at: 0, commits: 0 };

  readonly #reachMs: number;

  constructor(clock: Clock, { request, store }: Faults) {
    this.#clock = clock;
    this.#reachMs = request.slow > 0 || store.slow > 0 ? actingSlowlyMs : actingMs;
  }

  /** The controllers were told of all changes to a resource up to a revision. */
  told(resource: string, revision: number): void {
    for (const wanted of this.#wantedOf[resource as Sized]?.values() ?? []) {
      for (const [i, one] of wanted.entries()) if ((wanted[i + 1]?.revision ?? Infinity) <= revision) one.leftAt ??= this.#clock.now();
    }
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

  readonly onCommit = (records: readonly StoredRecord[]): boolean => {
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
    return this.#isInTime(records.length);
  };

  #isInTime(count: number): boolean {
    const now = this.#clock.now();
    this.#instant = this.#instant.at === now ? { at: now, commits: this.#instant.commits + count } : { at: now, commits: count };
    if (this.#instant.commits < mostInNoTime) return true;
    this.#problem(`${mostInNoTime} writes in no time, of late of ${this.changedSince(now).slice(-5).join(', ')}`);
    return false;
  }

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
    const wanted = owner?.kind === 'ReplicaSet' ? this.#recently('replicasets', owner.uid) : [];
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
    this.#want('replicasets', uid, { most: size, least: set.status?.availableReplicas ?? 0 });
    if (before?.metadata.uid === uid) this.#refuseOlderRevision(key, before, set);
    const owner = controllerOf(set);
    if (owner?.kind === 'Deployment' && before?.metadata.uid === uid && controllerOf(before)?.uid === owner.uid) this.#onResized(key, owner.uid, was, size);
    else if (owner?.kind === 'Deployment' && !before) this.#onResized(key, owner.uid, 0, size);
  }

  /** The deployment controller made a set larger or smaller. */
  #onResized(key: string, deployment: string, was: number, size: number): void {
    const wanted = this.#recently('deployments', deployment);
    if (wanted.length === 0 || was === size) return;
    const sets = [...this.#sets.values()].filter((set) => controllerOf(set)?.uid === deployment);
    if (size > was) {
      const most = Math.max(...wanted.map((one) => one.most));
      const total = sets.reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0);
      if (total > most) this.#problem(`${key} grew from ${was} to ${size}: ${total} replicas in all where ${most} are allowed`);
      return;
    }
    // What broke or was taken away meanwhile is not the controller's doing; nor is what their status does not say yet.
    if (this.#clock.now() - (this.#troubled.get(deployment) ?? -Infinity) < troubleMs) return;
    const told = (uid: string | undefined): number[] => this.#recently('replicasets', uid ?? '').map((one) => one.least);
    if (Math.min(...told(this.#sets.get(key)?.metadata.uid)) <= size) return;
    const least = Math.min(...wanted.map((one) => one.least));
    const available = sets.reduce((sum, set) => sum + Math.min(set.spec.replicas ?? 1, Math.max(0, ...told(set.metadata.uid))), 0);
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
    this.#want('deployments', uid, { most: wanted + surge, least: rolling ? wanted - unavailable : 0 });
    if (before?.metadata.uid === uid) this.#refuseOlderRevision(key, before, deployment);
  }

  #refuseOlderRevision(key: string, before: KubeObject | Deployment | ReplicaSet, after: KubeObject | Deployment | ReplicaSet): void {
    const revision = (object: typeof before): number => Number(object.metadata.annotations?.[revisionAnnotation] ?? '0');
    if (revision(after) < revision(before)) this.#problem(`${key} went from revision ${revision(before)} to ${revision(after)}`);
  }

  #want(resource: Sized, uid: string, wanted: Pick<Wanted, 'most' | 'least'>): void {
    const all = this.#wantedOf[resource].get(uid) ?? [];
    const last = all.at(-1);
    if (last?.most === wanted.most && last.least === wanted.least) return;
    this.#wantedOf[resource].set(uid, [...all, { ...wanted, revision: this.#revision, leftAt: undefined }]);
  }

  /** What was wanted by anything that a controller may still act upon. */
  #recently(resource: Sized, uid: string): Wanted[] {
    const since = this.#clock.now() - this.#reachMs;
    return (this.#wantedOf[resource].get(uid) ?? []).filter(({ leftAt }) => leftAt === undefined || leftAt >= since);
  }
}

function objectOf<T>({ deleted, value }: StoredRecord): T | undefined {
  return deleted ? undefined : (JSON.parse(Buffer.from(value).toString()) as T);
}
