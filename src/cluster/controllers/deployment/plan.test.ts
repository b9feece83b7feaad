import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, DeploymentSpec, ReplicaSet } from '#api/kube/types.ts';
import { planDeployment, printDeploymentPlan } from './plan.ts';
import { deploymentStatus } from './status.ts';
import { newSetOf } from './template.ts';
import type { DeploymentOperation } from './types.ts';

const now = Date.UTC(2026, 0, 1, 12);
const template = (image: string): DeploymentSpec['template'] => ({ metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image }] } });

/** A deployment with its sets, in a world where pods become ready as soon as they are wanted, unless their image is `broken`. */
class World {
  deployment: Deployment;
  sets: ReplicaSet[] = [];
  oldPodsRunning = 0;
  /** The fewest available and the most present pods that were seen. */
  seen = { least: Infinity, most: 0 };

  constructor(spec: Partial<DeploymentSpec> = {}, image = 'web:1') {
    this.deployment = {
      apiVersion: 'apps/v1', kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default', uid: 'd', generation: 1, annotations: { 'kubernetes.io/change-cause': image } },
      spec: { replicas: 4, selector: { matchLabels: { app: 'web' } }, template: template(image), progressDeadlineSeconds: 600, ...spec },
    };
  }

  change(spec: Partial<DeploymentSpec>): this {
    const { metadata } = this.deployment;
    this.deployment = { ...this.deployment, metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 }, spec: { ...this.deployment.spec, ...spec } };
    return this;
  }

  plan(): string {
    return printDeploymentPlan(this.operations());
  }

  operations(): DeploymentOperation[] {
    const { deployment, sets, oldPodsRunning } = this;
    return planDeployment({ deployment, sets, adoptable: [], strays: [], oldPodsRunning });
  }

  /** Carries plans out until nothing is left to do; gives what was done, without bookkeeping. */
  settle(): string[] {
    const done: string[] = [];
    for (let round = 0; round < 50; round++) {
      const plan = this.operations();
      for (const step of plan) this.#apply(step);
      done.push(...plan.filter((step) => step.do !== 'annotate' && step.do !== 'note-revision').map((step) => printDeploymentPlan([step]).replace(/: .*/, '').replace(/web-\w+/, (name) => this.#imageOf(name))));
      const status = deploymentStatus(this.deployment, this.sets, now + round * 1000);
      const still = status === this.deployment.status;
      this.deployment = { ...this.deployment, status };
      this.seen.least = Math.min(this.seen.least, status.availableReplicas ?? 0);
      this.seen.most = Math.max(this.seen.most, status.replicas ?? 0);
      if (plan.length === 0 && still) return done;
    }
    throw new Error(`it does not settle: ${this.plan()}`);
  }

  condition(type: string): { status?: string; reason?: string; message?: string } {
    const { status, reason, message } = this.deployment.status?.conditions?.find((c) => c.type === type) ?? {};
    return { status, reason, message };
  }

  sizes(): string[] {
    return this.sets.map((set) => `${this.#imageOf(set.metadata.name ?? '')} ${set.spec.replicas} rev ${set.metadata.annotations?.['deployment.kubernetes.io/revision']}`);
  }

  #imageOf(name: string): string {
    const set = this.sets.find((one) => one.metadata.name === name);
    return set?.spec.template?.spec?.containers[0]?.image ?? name;
  }

  #apply(step: DeploymentOperation): void {
    if (step.do === 'note-revision') {
      const { metadata } = this.deployment;
      this.deployment = { ...this.deployment, metadata: { ...metadata, annotations: { ...metadata.annotations, 'deployment.kubernetes.io/revision': step.revision } } };
    } else if (step.do === 'delete') this.sets = this.sets.filter((set) => set !== step.set);
    else if (step.do === 'create') this.sets = [...this.sets, this.#live({ ...step.set, metadata: { ...step.set.metadata, uid: step.set.metadata.name, creationTimestamp: `2026-01-01T0${this.sets.length}:00:00Z` } })];
    else if (step.do === 'scale' || step.do === 'annotate') {
      this.sets = this.sets.map((set) => {
        if (set.metadata.uid !== step.set.metadata.uid) return set;
        const replicas = step.do === 'scale' ? step.after.spec.replicas : set.spec.replicas;
        const annotations = step.do === 'scale' ? { ...step.after.metadata.annotations, ...set.metadata.annotations, ...pick(step.after.metadata.annotations) } : step.after.metadata.annotations;
        return this.#live({ ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas } });
      });
    }
  }

  #live(set: ReplicaSet): ReplicaSet {
    const replicas = set.spec.replicas ?? 1;
    const ready = set.spec.template?.spec?.containers[0]?.image === 'broken' ? 0 : replicas;
    return { ...set, status: { replicas, readyReplicas: ready, availableReplicas: ready } };
  }
}

function pick(annotations: { [name: string]: string } = {}): { [name: string]: string } {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => name.endsWith('-replicas')));
}

test('the first rollout creates one set with all replicas, and completes', () => {
  const world = new World();
  assert.match(world.plan(), /^create web-\w+ with 4 replicas: no replica set has the present template$/);
  assert.deepEqual(world.settle(), ['create web:1 with 4 replicas']);
  const [set] = world.sets;
  const hash = set?.metadata.labels?.['pod-template-hash'] ?? '';
  assert.equal(set?.metadata.name, `web-${hash}`);
  assert.deepEqual(set?.spec.selector.matchLabels, { app: 'web', 'pod-template-hash': hash });
  assert.deepEqual(set?.metadata.annotations, {
    'kubernetes.io/change-cause': 'web:1',
    'deployment.kubernetes.io/desired-replicas': '4', 'deployment.kubernetes.io/max-replicas': '5', 'deployment.kubernetes.io/revision': '1',
  });
  assert.equal(world.deployment.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
  assert.deepEqual(world.condition('Available'), { status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' });
  assert.deepEqual(world.condition('Progressing'), { status: 'True', reason: 'NewReplicaSetAvailable', message: `ReplicaSet "web-${hash}" has successfully progressed.` });
});

test('a rolling update keeps within surge and unavailability', () => {
  for (const [maxSurge, maxUnavailable, most, least] of [[1, 1, 5, 3], ['50%', 0, 6, 4], [0, '25%', 4, 3], [0, 0, 4, 3]] as const) {
    const world = new World({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } });
    world.settle();
    world.seen = { least: Infinity, most: 0 };
    world.change({ template: template('web:2') }).settle();
    assert.deepEqual(world.sizes(), ['web:1 0 rev 1', 'web:2 4 rev 2']);
    assert.ok(world.seen.most <= most && world.seen.least >= least, `${maxSurge}/${maxUnavailable}: ${JSON.stringify(world.seen)}`);
  }
});

test('a rolling update of one step at a time', () => {
  const world = new World({ replicas: 2, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
  world.settle();
  assert.deepEqual(world.change({ template: template('web:2') }).settle(), [
    'create web:2 with 1 replicas', 'scale web:1 from 2 to 1', 'scale web:2 from 1 to 2', 'scale web:1 from 1 to 0',
  ]);
});

test('a rollout that does not become ready stops, and counts as stuck after its deadline', () => {
  const world = new World();
  world.settle();
  world.change({ template: template('broken') }).settle();
  assert.deepEqual(world.sizes(), ['web:1 3 rev 1', 'broken 2 rev 2']);
  assert.equal(world.condition('Available').status, 'True');
  const later = deploymentStatus(world.deployment, world.sets, now + 700_000);
  const { status, reason, message } = later.conditions?.find((c) => c.type === 'Progressing') ?? {};
  assert.deepEqual([status, reason], ['False', 'ProgressDeadlineExceeded']);
  assert.match(message ?? '', /^ReplicaSet "web-\w+" has timed out progressing\.$/);
});

test('the old template again is a rollback: its set is used, under a new revision', () => {
  const world = new World();
  world.settle();
  world.change({ template: template('web:2') }).settle();
  world.change({ template: template('web:1') });
  assert.equal(newSetOf(world.deployment, world.sets), world.sets[0]);
  world.settle();
  assert.deepEqual(world.sizes(), ['web:1 4 rev 3', 'web:2 0 rev 2']);
  assert.equal(world.sets[0]?.metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
});

test('Recreate waits until the old pods are gone', () => {
  const world = new World({ strategy: { type: 'Recreate' } });
  world.settle();
  world.change({ template: template('web:2') }).oldPodsRunning = 4;
  assert.deepEqual(world.settle(), ['scale web:1 from 4 to 0']);
  world.oldPodsRunning = 0;
  assert.deepEqual(world.settle(), ['create web:2 with 4 replicas']);
});

test('scaling in the midst of a rollout goes to all sets by their share', () => {
  const world = new World({ replicas: 10, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } });
  world.settle();
  world.change({ template: template('broken') }).settle();
  assert.deepEqual(world.sizes(), ['web:1 8 rev 1', 'broken 5 rev 2']);
  world.change({ replicas: 15 }).settle();
  assert.deepEqual(world.sizes(), ['web:1 11 rev 1', 'broken 7 rev 2']);
});

test('a paused deployment scales, and rolls out when it is resumed', () => {
  const world = new World();
  world.settle();
  assert.deepEqual(world.change({ paused: true, replicas: 6, template: template('web:2') }).settle(), ['scale web:1 from 4 to 6']);
  assert.deepEqual(world.condition('Progressing'), { status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' });
  world.change({ paused: false }).settle();
  assert.deepEqual(world.sizes(), ['web:1 0 rev 1', 'web:2 6 rev 2']);
  assert.equal(world.condition('Progressing').reason, 'NewReplicaSetAvailable');
});

test('only so many past revisions are kept', () => {
  const world = new World({ revisionHistoryLimit: 1 });
  world.settle();
  for (const image of ['web:2', 'web:3', 'web:4']) world.change({ template: template(image) }).settle();
  assert.deepEqual(world.sizes(), ['web:3 0 rev 3', 'web:4 4 rev 4']);
});

test('scaled to nothing and back', () => {
  const world = new World();
  world.settle();
  assert.deepEqual(world.change({ replicas: 0 }).settle(), ['scale web:1 from 4 to 0']);
  assert.deepEqual(world.change({ replicas: 2 }).settle(), ['scale web:1 from 0 to 2']);
});
