/** What pods ask for, in whole units: cpu in thousandths, all else in its own unit (bytes, pieces). */
import { quantityMilliValue, quantityValue } from '#api/kube/quantity.ts';
import type { Container, Pod } from '#api/kube/types.ts';

export type Resources = Readonly<Record<string, number>>;

type Quantities = { readonly [name: string]: string } | undefined;

/** A pod is frozen, so what it asks for is counted once. */
const known = new WeakMap<Pod, Resources>();

/** What the scheduler sets aside for the pod: its containers together, or its hungriest init step; and overhead. */
export function podRequests(pod: Pod): Resources {
  const counted = known.get(pod) ?? countRequests(pod);
  if (Object.isFrozen(pod)) known.set(pod, counted);
  return counted;
}

function countRequests({ spec }: Pod): Resources {
  let sidecars: Resources = {};
  let initPeak: Resources = {};
  for (const container of spec.initContainers ?? []) {
    const own = requestsOf(container);
    if (container.restartPolicy === 'Always') sidecars = add(sidecars, own);
    initPeak = most(initPeak, container.restartPolicy === 'Always' ? sidecars : add(sidecars, own));
  }
  const running = spec.containers.map(requestsOf).reduce(add, sidecars);
  const needed = { ...most(running, initPeak), ...parse(spec.resources?.requests) };
  return { ...add(needed, parse(spec.overhead)), pods: 1 };
}

/** What a pod that asks for nothing is taken to use: thousandths of a cpu, and bytes. */
const assumed: Resources = { cpu: 100, memory: 200 * 1024 * 1024 };

/** What the pod is likely to use. */
export function podUse(pod: Pod): Resources {
  return { ...assumed, ...podRequests(pod) };
}

/** Of all of them together. */
export function sum(parts: readonly Resources[]): Resources {
  const total: Record<string, number> = {};
  for (const part of parts) for (const [name, amount] of Object.entries(part)) total[name] = (total[name] ?? 0) + amount;
  return total;
}

function requestsOf(container: Container): Resources {
  return parse(container.resources?.requests);
}

export function parse(quantities: Quantities): Resources {
  const entries = Object.entries(quantities ?? {});
  return Object.fromEntries(entries.map(([name, text]) => [name, name === 'cpu' ? quantityMilliValue(text) : quantityValue(text)]));
}

function add(a: Resources, b: Resources): Resources {
  return combine(a, b, (x, y) => x + y);
}

function most(a: Resources, b: Resources): Resources {
  return combine(a, b, Math.max);
}

function combine(a: Resources, b: Resources, how: (x: number, y: number) => number): Resources {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, how(a[name] ?? 0, b[name] ?? 0)]));
}
