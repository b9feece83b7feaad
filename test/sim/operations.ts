/**
 * What people do to a world. A plan is a list of operations with their times, drawn from the seed before anything
 * runs; an operation names objects by small numbers (`deployment d1 of namespace b`), so that it means something
 * whatever happened before it, and can be left out without changing the others.
 */
import type { Deployment, Pod, PodTemplateSpec, ReplicaSet, ReplicationController, Service } from '#api/kube/types.ts';
import { Chance } from './chance.ts';
import { brokenImage } from './node.ts';

export const namespaceNames = ['a', 'b'] as const;
export const firstNodes = 3;
const mostNodes = 5;
const images = ['web:1', 'web:2', 'web:3', 'web:4'];
/** Kinds of workloads, by how often each is meant. */
const workloadMix: readonly Workload[] = ['deployments', 'deployments', 'deployments', 'deployments', 'replicasets', 'replicationcontrollers'];
const policies = ['Background', 'Foreground', 'Orphan'] as const;

export type Policy = (typeof policies)[number];
export type Workload = 'deployments' | 'replicasets' | 'replicationcontrollers';
/** Headless is none of the API's types, but of people's. */
export type ServiceType = 'ClusterIP' | 'NodePort' | 'Headless';
export type NodeLoss = 'lose' | 'crash';

interface At {
  atMs: number;
}

/** Which object of a kind: the namespace and the name. */
interface Of {
  namespace: string;
  name: string;
}

export type Operation = At & (
  | (Of & { do: 'create'; kind: Workload; replicas: number; image: string; cpu: string; strategy: object | undefined; minReadySeconds: number; paused: boolean })
  | (Of & { do: 'scale'; kind: Workload; replicas: number })
  | (Of & { do: 'delete'; kind: Workload; policy: Policy })
  | (Of & { do: 'roll-out'; image: string })
  | (Of & { do: 'undo' })
  | (Of & { do: 'pause'; paused: boolean })
  | (Of & { do: 'set-strategy'; strategy: object; history: number })
  | (Of & { do: 'storm'; times: number })
  | (Of & { do: 'create-service'; app: string; port: number; type: ServiceType })
  | (Of & { do: 'retype'; type: ServiceType })
  | (Of & { do: 'select'; app: string })
  | (Of & { do: 'delete-service' })
  /** A config map, owned by others and perhaps by a deployment. */
  | (Of & { do: 'create-owned' | 'add-owners'; owners: readonly string[]; block: boolean })
  | (Of & { do: 'delete-owned'; policy: Policy })
  /** A finalizer, until the world is healed. */
  | (Of & { do: 'hold'; kind: 'deployments' | 'configmaps' })
  /** With a node that somebody chose by hand, or none. */
  | (Of & { do: 'create-pod'; app: string; cpu: string; node: string | undefined })
  | { do: 'delete-pod'; namespace: string; which: number; graceSeconds: number | undefined }
  | { do: 'relabel-pod'; namespace: string; which: number; app: string }
  | { do: 'create-namespace' | 'delete-namespace'; namespace: string }
  | { do: 'lose-node'; node: string; how: NodeLoss; forMs: number }
  | { do: 'remove-node'; node: string }
  | { do: 'join-node'; node: string }
  | { do: 'cordon' | 'uncordon' | 'drain'; node: string }
  | { do: 'kill-daemon' | 'restart-daemon'; forMs: number }
  | { do: 'compact' }
  | { do: 'jump-clock'; byMs: number }
);

/** How often each is done, relative to the others. */
const weights: Record<Operation['do'], number> = {
  create: 16, scale: 12, delete: 7, 'roll-out': 12, undo: 4, pause: 3, 'set-strategy': 3, storm: 3, 'create-service': 5, select: 3, retype: 2,
  'create-owned': 5, 'add-owners': 2, 'delete-owned': 3, hold: 1, 'delete-service': 2, 'delete-pod': 5, 'relabel-pod': 3, 'create-namespace': 3, 'delete-namespace': 2, 'lose-node': 4, 'remove-node': 2,
  'join-node': 2, cordon: 2, uncordon: 2, drain: 2, 'kill-daemon': 3, 'restart-daemon': 2, compact: 2, 'create-pod': 4, 'jump-clock': 3,
};

/** Longest pauses between two operations, in milliseconds: of them each world has one. */
const longestPausesMs = [600, 3000, 8000] as const;
const longestJumpMs = 3_600_000;
const shortestPlan = 10;
const longestPlan = 45;

export function planOperations(seed: number): Operation[] {
  const chance = new Chance(seed, 'operations');
  // Each world has its own mix: some kinds are much more frequent, some do not happen.
  const mix = Object.entries(weights).flatMap(([name, weight]) => Array<Operation['do']>(Math.round(weight * chance.pick([0, 1, 1, 1, 3]))).fill(name as Operation['do']));
  const count = chance.between(shortestPlan, longestPlan);
  const longestPauseMs = chance.pick(longestPausesMs);
  const operations: Operation[] = [];
  const known = new Known(chance);
  let atMs = 2000;
  for (let i = 0; i < count; i++) {
    // The first ones make something to work on.
    const what: Operation['do'] = i < 3 || mix.length === 0 ? 'create' : chance.pick(mix);
    operations.push({ atMs, ...draw(what, chance, known) } as Operation);
    atMs += chance.happens(0.3) ? chance.between(0, 100) : chance.between(100, longestPauseMs);
  }
  return operations;
}

/** Mostly names what an earlier operation has made. */
class Known {
  readonly #chance: Chance;
  readonly #made = new Map<string, Of[]>();

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  add(kind: string, one: Of): Of {
    this.#made.set(kind, [...(this.#made.get(kind) ?? []), one]);
    return one;
  }

  pick(kind: string, otherwise: Of): Of {
    const made = this.#made.get(kind) ?? [];
    return made.length > 0 && this.#chance.happens(shareKnown) ? this.#chance.pick(made) : otherwise;
  }
}

const shareKnown = 0.9;
const creations = new Set<Operation['do']>(['create', 'create-service', 'create-owned']);

function draw(what: Operation['do'], chance: Chance, known: Known): object {
  const namespace = chance.pick(namespaceNames);
  const named = (kind: string, name: string): Of => (creations.has(what) ? known.add(kind, { namespace, name }) : known.pick(kind, { namespace, name }));
  const workload = (): Of & { kind: Workload } => {
    const kind: Workload = chance.pick(workloadMix);
    const name = { deployments: `d${chance.between(0, 2)}`, replicasets: `r${chance.between(0, 1)}`, replicationcontrollers: 'c0' }[kind];
    return { kind, ...named(kind, name) };
  };
  const deployment = creations.has(what) ? { namespace, name: 'd0' } : known.pick('deployments', { namespace, name: `d${chance.between(0, 2)}` });
  const service = what === 'create-service' || !creations.has(what) ? named('services', `s${chance.between(0, 1)}`) : { namespace, name: 's0' };
  const app = chance.pick(['d0', 'd1', 'd2', 'r0', 'c0']);
  const image = chance.happens(0.12) ? brokenImage : chance.pick(images);
  const node = `n${chance.between(0, firstNodes - 1)}`;
  const forMs = chance.pick([0, 500, 3000, 20_000]);
  const type = chance.pick(['ClusterIP', 'ClusterIP', 'NodePort', 'Headless'] as const);
  const owned = what === 'create-owned' || !creations.has(what) ? named('configmaps', `k${chance.between(0, 4)}`) : { namespace, name: 'k0' };
  const owners = Array.from({ length: chance.between(1, 2) }, () => chance.pick(['k0', 'k1', 'k2', 'k3', 'k4', 'd0', 'd1']));
  switch (what) {
    case 'create':
      return { do: what, ...workload(), replicas: chance.between(0, 6), image, cpu: chance.pick(['100m', '100m', '300m']), strategy: chance.happens(0.5) ? drawStrategy(chance) : undefined, minReadySeconds: chance.pick([0, 0, 3]), paused: chance.happens(0.05) };
    case 'scale':
      return { do: what, ...workload(), replicas: chance.between(0, 8) };
    case 'delete':
      return { do: what, ...workload(), policy: chance.pick(policies) };
    case 'roll-out':
      return { do: what, ...deployment, image };
    case 'undo':
      return { do: what, ...deployment };
    case 'pause':
      return { do: what, ...deployment, paused: chance.happens(0.6) };
    case 'set-strategy':
      return { do: what, ...deployment, strategy: drawStrategy(chance), history: chance.between(0, 3) };
    case 'storm':
      return { do: what, ...deployment, times: chance.between(5, 30) };
    case 'create-service':
      return { do: what, ...service, app, port: chance.between(80, 81), type };
    case 'retype':
      return { do: what, ...service, type };
    case 'create-owned':
    case 'add-owners':
      return { do: what, ...owned, owners, block: chance.happens(0.7) };
    case 'delete-owned':
      return { do: what, ...owned, policy: chance.pick(policies) };
    case 'hold':
      return { do: what, ...(chance.happens(0.5) ? { kind: 'configmaps', ...owned } : { kind: 'deployments', ...deployment }) };
    case 'select':
      return { do: what, ...service, app };
    case 'delete-service':
      return { do: what, ...service };
    case 'delete-pod':
      return { do: what, namespace, which: chance.between(0, 20), graceSeconds: chance.pick([undefined, 0, 1]) };
    case 'relabel-pod':
      return { do: what, namespace, which: chance.between(0, 20), app: chance.pick([app, 'nobody']) };
    case 'create-namespace':
    case 'delete-namespace':
      return { do: what, namespace };
    case 'lose-node':
      return { do: what, node, how: chance.pick(['lose', 'crash']), forMs: chance.pick([3000, 30_000, 100_000, 400_000]) };
    case 'join-node':
      return { do: what, node: `n${chance.between(0, mostNodes - 1)}` };
    case 'remove-node':
    case 'cordon':
    case 'uncordon':
    case 'drain':
      return { do: what, node };
    case 'kill-daemon':
    case 'restart-daemon':
      return { do: what, forMs };
    case 'compact':
      return { do: what };
    case 'create-pod':
      return { do: what, namespace, name: `p${chance.between(0, 5)}`, app: chance.pick(['alone', 'r0', 'c0']), cpu: chance.pick(['100m', '500m', '2']), node: chance.happens(0.7) ? node : undefined };
    case 'jump-clock':
      return { do: what, byMs: chance.pick([-1, 1]) * chance.pick([1000, 45_000, 600_000, longestJumpMs]) };
  }
}

function drawStrategy(chance: Chance): object {
  if (chance.happens(0.25)) return { type: 'Recreate', rollingUpdate: null };
  const maxSurge = chance.pick([0, 1, 2, '25%', '50%', '100%']);
  const maxUnavailable = maxSurge === 0 ? chance.pick([1, 2, '50%']) : chance.pick([0, 1, '25%', '50%']);
  return { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } };
}

function templateOf(app: string, image: string, cpu: string) {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: 'main', image, ports: [{ containerPort: 8080 }], resources: { requests: { cpu } } }] } } satisfies PodTemplateSpec;
}

export function podOf({ namespace, name, app, cpu, node }: Operation & { do: 'create-pod' }): Pod {
  const { metadata, spec } = templateOf(app, 'web:1', cpu);
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name, namespace }, spec: { ...spec, ...(node !== undefined && { nodeName: node }) } };
}

export type Created = Deployment | ReplicaSet | ReplicationController;

export function manifestOf(operation: Operation & { do: 'create' }): Created {
  const { kind, namespace, name, replicas, image, cpu, strategy, minReadySeconds, paused } = operation;
  const metadata = { name, namespace };
  const template = templateOf(name, image, cpu);
  const selector = { matchLabels: { app: name } };
  if (kind === 'replicationcontrollers') return { apiVersion: 'v1', kind: 'ReplicationController', metadata, spec: { replicas, minReadySeconds, selector: { app: name }, template } };
  if (kind === 'replicasets') return { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata, spec: { replicas, minReadySeconds, selector, template } };
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas, minReadySeconds, selector, template, paused, ...(strategy && { strategy: withoutNull(strategy) }) } };
}

function withoutNull(strategy: object): object {
  return Object.fromEntries(Object.entries(strategy).filter(([, value]) => value !== null));
}

export function serviceOf({ namespace, name, app, port, type }: Operation & { do: 'create-service' }): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { ...typeFields(type), selector: { app }, ports: [{ port, targetPort: 8080 }] } };
}

export function typeFields(type: ServiceType): { type: string; clusterIP?: string } {
  return type === 'Headless' ? { type: 'ClusterIP', clusterIP: 'None' } : { type };
}

/** The plan as text, an operation a line. */
export function operationText({ atMs, do: what, ...rest }: Operation): string {
  const { namespace, name, node, ...others } = rest as Record<string, unknown>;
  const object = node ?? (name === undefined ? namespace : `${namespace as string}/${name as string}`);
  const facts = Object.entries(others).filter(([, value]) => value !== undefined).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [`${(atMs / 1000).toFixed(3)}s`, what, ...(object === undefined ? [] : [object as string]), ...facts].join(' ');
}
