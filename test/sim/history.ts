import { createHash } from 'node:crypto';
import type { Deployment, KubeObject, Lease, Node, Pod, ReplicaSet, ReplicationController } from '#api/kube/types.ts';
import { monotonicMs } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import type { StoredRecord } from '#core/store/mvcc/backend.ts';
import { Decisions } from './decisions.ts';
import type { Faults } from './faults.ts';
import { Heartbeats } from './heartbeats.ts';
import { Ownership } from './ownership.ts';
import { Rollouts } from './rollouts.ts';
import { Rooms } from './rooms.ts';

/** Writes without any time passing, at most. */
const mostInNoTime = 2000;
const revisionAnnotation = 'deployment.kubernetes.io/revision';
const keysThatBeat = /^\/registry\/(leases\.coordination\.k8s\.io|nodes|events)\//;

/** Follows every commit as it becomes durable, and says at once what must never be. */
export class History {
  readonly problems: string[] = [];
  readonly decisions: Decisions;
  /** Commits of anything but heartbeats and events. */
  changes = 0;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #hash = createHash('sha256');
  readonly #objects = new Map<string, KubeObject>();
  readonly #rollouts: Rollouts;
  readonly #ownership: Ownership;
  readonly #rooms: Rooms;
  readonly #heartbeats: Heartbeats;
  readonly #nodeOf = new Map<string, string>();
  readonly #lastChanged = new Map<string, number>();
  #revision = 0;
  #instant = { at: 0, commits: 0 };

  constructor(clock: Clock, faults: Faults) {
    this.#clock = clock;
    this.#startedAt = monotonicMs(clock);
    this.decisions = new Decisions(clock);
    const say = (problem: string): void => this.#problem(problem);
    this.#rollouts = new Rollouts(this.decisions, clock, faults, say);
    this.#ownership = new Ownership(this.decisions, say);
    this.#rooms = new Rooms(say);
    this.#heartbeats = new Heartbeats(clock, faults, say);
  }

  /** The controllers were told of all changes to a resource up to a revision. */
  told(resource: string, revision: number): void {
    this.decisions.told(resource, revision);
    this.#rollouts.told(resource, revision, monotonicMs(this.#clock));
  }

  /** What the store has. */
  find(folder: string, name: string, namespace: string | undefined): KubeObject | undefined {
    return this.#objects.get(`/registry/${folder}/${namespace === undefined ? '' : `${namespace}/`}${name}`);
  }

  get hash(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  /** Keys that were written since then, in milliseconds of the clock that never jumps. */
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
      this.#onRecord(record);
      if (keysThatBeat.test(record.key)) continue;
      this.changes++;
      this.#lastChanged.set(record.key, monotonicMs(this.#clock));
    }
    return this.#isInTime(records.length);
  };

  #onRecord({ key, value, deleted, revision }: StoredRecord): void {
    const [, registry, folder = ''] = key.split('/');
    if (registry !== 'registry' || folder === 'events') return;
    const before = this.#objects.get(key);
    const object = deleted ? undefined : (JSON.parse(Buffer.from(value).toString()) as KubeObject);
    // As the API shows it.
    if (object) object.metadata.resourceVersion = String(revision);
    if (object) this.#objects.set(key, object);
    else this.#objects.delete(key);
    if (folder === 'leases.coordination.k8s.io') this.#heartbeats.onLease(object as Lease | undefined);
    else if (folder === 'nodes') this.#onNode(object as Node | undefined, before as Node | undefined);
    else this.#onObject(folder, { key, object, before, revision });
  }

  #onNode(node: Node | undefined, before: Node | undefined): void {
    this.#heartbeats.onNode(node, before);
    this.#rooms.onNode(node, before);
  }

  #onObject(folder: string, { key, object, before, revision }: { key: string; object: KubeObject | undefined; before: KubeObject | undefined; revision: number }): void {
    if (folder === 'pods') this.#onPod(key, object as Pod | undefined, before as Pod | undefined, revision);
    else if (folder === 'replicasets.apps' || folder === 'replicationcontrollers') this.#rollouts.onSet(key, object as ReplicaSet | ReplicationController | undefined, before as ReplicaSet | undefined, revision);
    else if (folder === 'deployments.apps') this.#rollouts.onDeployment(object as Deployment | undefined, revision);
    this.#ownership.onObject(key, object, before);
    if (object && before && before.metadata.uid === object.metadata.uid) this.#refuseOlderRevision(key, before, object);
  }

  #isInTime(count: number): boolean {
    const now = monotonicMs(this.#clock);
    this.#instant = this.#instant.at === now ? { at: now, commits: this.#instant.commits + count } : { at: now, commits: count };
    if (this.#instant.commits < mostInNoTime) return true;
    this.#problem(`${mostInNoTime} writes in no time, of late of ${this.changedSince(now).slice(-5).join(', ')}`);
    return false;
  }

  #problem(what: string): void {
    this.problems.push(`at ${((monotonicMs(this.#clock) - this.#startedAt) / 1000).toFixed(3)}s, revision ${this.#revision}: ${what}`);
  }

  #onPod(key: string, pod: Pod | undefined, before: Pod | undefined, revision: number): void {
    this.#rollouts.onPod(key, pod, before, revision);
    this.#rooms.onPod(key, pod, before);
    if (!pod) return;
    const uid = pod.metadata.uid ?? '';
    const node = pod.spec.nodeName ?? '';
    const had = this.#nodeOf.get(uid) ?? '';
    if (had !== '' && node !== had) this.#problem(`pod ${key} moved from ${had} to ${node || 'no node'}`);
    if (node !== '') this.#nodeOf.set(uid, node);
    if (!before) return;
    if (before.metadata.uid !== uid) this.#problem(`pod ${key} became another one without being deleted`);
    else if (before.metadata.deletionTimestamp !== undefined && pod.metadata.deletionTimestamp === undefined) this.#problem(`pod ${key} is no longer being deleted`);
  }

  #refuseOlderRevision(key: string, before: KubeObject, after: KubeObject): void {
    const revision = (object: KubeObject): number => Number(object.metadata.annotations?.[revisionAnnotation] ?? '0');
    if (revision(after) < revision(before)) this.#problem(`${key} went from revision ${revision(before)} to ${revision(after)}`);
  }
}
