/** Writes events to the API: in order, a repeated one as a higher count. */
import type { Event, ObjectReference, Pod } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import type { Clock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { hex } from '#lib/random.ts';
import type { Random } from '#lib/random.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { eventsRef } from './types.ts';
import type { EventRecorder } from './types.ts';

/** Events waiting to be written; more are dropped, and that is logged. */
const queueLimit = 1000;
/** Different events that are remembered to be counted. */
const knownLimit = 1000;
/** Longest message, in characters, as the API has it. */
const messageLimit = 1024;

interface Draft {
  involved: ObjectReference;
  type: string;
  reason: string;
  message: string;
}

export interface RecorderOptions {
  client: KubeClient;
  clock: Clock;
  random: Random;
  log: Logger;
  nodeName: string;
}

export function createRecorder(options: RecorderOptions): EventRecorder {
  return new QueueRecorder(options);
}

class QueueRecorder implements EventRecorder {
  readonly #options: RecorderOptions;
  readonly #known = new Map<string, { name: string; count: number }>();
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  pod(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void {
    const { name, namespace, uid, resourceVersion } = pod.metadata;
    const init = (pod.spec.initContainers ?? []).some((candidate) => candidate.name === container);
    const fieldPath = container === undefined ? {} : { fieldPath: `spec.${init ? 'initContainers' : 'containers'}{${container}}` };
    this.#say({ involved: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid, resourceVersion, ...fieldPath }, type, reason, message });
  }

  node(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { nodeName } = this.#options;
    this.#say({ involved: { kind: 'Node', name: nodeName, uid: nodeName }, type, reason, message });
  }

  flush(): Promise<void> {
    return this.#tail;
  }

  #say(draft: Draft): void {
    const { log } = this.#options;
    if (this.#waiting >= queueLimit) {
      log.warn('an event was dropped, too many are waiting', { reason: draft.reason });
      return;
    }
    this.#waiting++;
    this.#tail = this.#tail
      .then(() => this.#write({ ...draft, message: draft.message.slice(0, messageLimit) }))
      .catch((error: unknown) => {
        if (!isFault(error, 'not-found', 'forbidden', 'canceled')) log.warn('an event could not be written', { reason: draft.reason, error });
      })
      .finally(() => this.#waiting--);
  }

  async #write(draft: Draft): Promise<void> {
    const { client, clock, random, nodeName } = this.#options;
    const { involved } = draft;
    const namespace = involved.namespace ?? 'default';
    const key = JSON.stringify([involved.uid, involved.fieldPath, draft.type, draft.reason, draft.message]);
    const time = isoSeconds(clock.now());
    const known = this.#known.get(key);
    if (known) {
      known.count++;
      try {
        await client.patch(eventsRef, known.name, { type: 'merge', body: { count: known.count, lastTimestamp: time } }, { namespace });
        return;
      } catch (error) {
        if (!isFault(error, 'not-found')) throw error;
      }
    }
    const name = `${involved.name}.${hex(random, 8)}`;
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: involved,
      type: draft.type,
      reason: draft.reason,
      message: draft.message,
      source: { component: 'kubelet', host: nodeName },
      reportingComponent: 'kubelet',
      reportingInstance: nodeName,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    this.#known.set(key, { name, count: 1 });
    const oldest = this.#known.keys().next();
    if (this.#known.size > knownLimit && !oldest.done) this.#known.delete(oldest.value);
    await client.create(eventsRef, event, { namespace });
  }
}
