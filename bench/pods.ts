/** From the request that creates a pod to the watch event that says that it runs; as an outsider sees both. */
import type { Pod } from '#api/kube/types.ts';
import type { HttpKubeClient } from '#client/kube/http.ts';
import { pods as ref } from '#client/kube/resources.ts';
import { administrator, sleepingPod } from './kube.ts';
import { now, summarize } from './measure.ts';
import type { Bench, Part } from './types.ts';

/** Pods one after the other: enough of them for a 99th percentile. */
const single = 100;
const together = 60;

export const pods: Part = { name: 'pods', about: `a pod from its creation to Running, ${single} times`, run: oneByOne };
export const pods60: Part = { name: 'pods60', about: `${together} pods at once, until all are Running`, run: allAtOnce };

async function oneByOne(bench: Bench): Promise<void> {
  const { root } = await bench.gantry();
  await withWatch(root, async (client, events) => {
    const samples: number[] = [];
    for (let i = -bench.plan.warmUp; i < single; i++) {
      bench.signal.throwIfAborted();
      const pod = sleepingPod(`bench-${i + bench.plan.warmUp}`);
      const running = events.running(pod);
      const began = now();
      await client.create(ref, pod);
      const ms = (await running) - began;
      if (i >= 0) samples.push(ms);
      await remove(client, events, pod);
    }
    bench.report({ subject: 'pod to Running', unit: 'ms', values: { gantry: summarize(samples) }, goal: { median: 120, p99: 400 } });
  });
}

async function allAtOnce(bench: Bench): Promise<void> {
  const { root } = await bench.gantry();
  await withWatch(root, async (client, events) => {
    const samples: number[] = [];
    for (let round = -1; round < bench.plan.iterations; round++) {
      bench.signal.throwIfAborted();
      const all = Array.from({ length: together }, (_, i) => sleepingPod(`bench-${i}`));
      const running = Promise.all(all.map((pod) => events.running(pod)));
      const began = now();
      await Promise.all(all.map((pod) => client.create(ref, pod)));
      const ms = Math.max(...(await running)) - began;
      if (round >= 0) samples.push(together / (ms / 1000));
      await Promise.all(all.map((pod) => remove(client, events, pod)));
    }
    bench.report({ subject: `${together} pods at once`, unit: 'pods/s', values: { gantry: summarize(samples) }, goal: { median: 15 } });
  });
}

async function remove(client: HttpKubeClient, events: Events, pod: Pod): Promise<void> {
  const gone = events.gone(pod);
  await client.delete(ref, pod.metadata.name!, { namespace: 'default', gracePeriodSeconds: 0 });
  await gone;
}

interface Events {
  /** When the watch said that it runs. */
  running(pod: Pod): Promise<number>;
  gone(pod: Pod): Promise<number>;
}

async function withWatch(root: string, work: (client: HttpKubeClient, events: Events) => Promise<void>): Promise<void> {
  const client = await administrator(root);
  const ending = new AbortController();
  const waiting = new Map<string, (at: number) => void>();
  const { metadata } = await client.list<Pod>(ref, { namespace: 'default' });
  const until = (what: string, pod: Pod): Promise<number> => new Promise((resolve) => waiting.set(`${what} ${pod.metadata.name}`, resolve));
  const follow = async (): Promise<void> => {
    for await (const { type, object } of client.watch<Pod>(ref, { namespace: 'default', resourceVersion: metadata.resourceVersion!, signal: ending.signal })) {
      const what = type === 'DELETED' ? 'gone' : object.status?.phase === 'Running' ? 'running' : 'other';
      waiting.get(`${what} ${object.metadata.name}`)?.(now());
    }
  };
  const watch = follow();
  try {
    const failed = watch.then(() => Promise.reject(new Error('the watch ended')));
    await Promise.race([work(client, { running: (pod) => until('running', pod), gone: (pod) => until('gone', pod) }), failed]);
  } finally {
    ending.abort();
    await watch.catch(() => {});
    client.close();
  }
}
