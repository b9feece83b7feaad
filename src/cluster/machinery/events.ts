import type { Event, ObjectReference } from '#api/kube/types.ts';
import type { Clock } from '#lib/clock.ts';
import { isoSeconds, monotonicMs } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import { events } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import type { ApiObject, EventRecorder } from './types.ts';

/** Events that wait to be written; more are dropped, and that is logged. */
const queueLimit = 1000;
/** Different events that are remembered to be counted; the one longest unused is forgotten. */
const rememberedLimit = 4096;
/** Events about one object that are written at once, and how long until one more may be, in milliseconds. */
const burst = 25;
const refillMs = 300_000;
/** The longest message, in characters. */
const messageLimit = 1024;

export interface RecorderOptions {
  client: KubeClient;
  clock: Clock;
  random: Random;
  log: Logger;
  signal: AbortSignal;
  /** The node on which it is said; none for a part of the cluster's own. */
  host?: string;
}

/** Names an object in an event. `fieldPath` says which part of it: `spec.containers{web}`. */
export function referenceTo({ apiVersion, kind, metadata }: ApiObject, fieldPath?: string): ObjectReference {
  const { name, namespace, uid, resourceVersion } = metadata;
  return { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name, uid, resourceVersion, ...(fieldPath === undefined ? {} : { fieldPath }) };
}

export function createEventRecorder(options: RecorderOptions): EventRecorder {
  return new QueuedRecorder(options);
}

interface Draft {
  component: string;
  about: ObjectReference;
  type: string;
  reason: string;
  message: string;
  time: string;
}

class QueuedRecorder implements EventRecorder {
  readonly #options: RecorderOptions;
  readonly #remembered = new Map<string, { name: string; count: number }>();
  readonly #allowed = new Map<string, { left: number; atMs: number }>();
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  /** Since one last found a place. */
  #dropped = 0;
  #said = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  record(component: string, object: ApiObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.recordAbout(component, referenceTo(object), type, reason, message);
  }

  recordAbout(component: string, about: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { clock, log } = this.#options;
    if (!this.#allow(about)) return;
    if (this.#waiting >= queueLimit) {
      if (this.#dropped++ === 0) log.warn('events are dropped: too many wait to be written', { reason, object: about.name });
      return;
    }
    this.#dropped = 0;
    const draft = { component, about, type, reason, message: message.slice(0, messageLimit), time: isoSeconds(clock.now()) };
    this.#waiting++;
    this.#tail = this.#tail
      .then(() => this.#write(draft))
      .catch((error: unknown) => {
        // The namespace may be going, or the caller.
        if (!isFault(error, 'not-found', 'forbidden', 'canceled')) log.warn('an event could not be written', { reason, object: about.name, error });
      })
      .finally(() => this.#waiting--);
  }

  flush(): Promise<void> {
    return this.#tail;
  }

  /** What says the same about one object over and over is held down. */
  #allow(about: ObjectReference): boolean {
    const now = monotonicMs(this.#options.clock);
    const key = `${about.kind}/${about.uid ?? ''}/${about.namespace ?? ''}/${about.name ?? ''}`;
    const bucket = this.#allowed.get(key) ?? { left: burst, atMs: now };
    const refilled = Math.min(burst, bucket.left + (now - bucket.atMs) / refillMs);
    const left = refilled >= 1 ? refilled - 1 : refilled;
    remember(this.#allowed, key, { left, atMs: now });
    return refilled >= 1;
  }

  async #write(draft: Draft): Promise<void> {
    const { client, signal } = this.#options;
    if (signal.aborted) return;
    const { component, about, type, reason, message, time } = draft;
    const namespace = about.namespace === undefined || about.namespace === '' ? 'default' : about.namespace;
    const key = JSON.stringify([component, about.kind, about.uid, about.name, namespace, about.fieldPath, type, reason, message]);
    const known = this.#remembered.get(key);
    if (known) {
      try {
        const body = { count: known.count + 1, lastTimestamp: time };
        await client.patch(events, known.name, { type: 'merge', body }, { namespace, signal });
        remember(this.#remembered, key, { name: known.name, count: body.count });
        return;
      } catch (error) {
        // It has been deleted, or its time was up: it begins anew.
        if (!isFault(error, 'not-found')) throw error;
      }
    }
    const created = this.#eventOf(draft, namespace);
    await client.create(events, created, { namespace, signal });
    remember(this.#remembered, key, { name: created.metadata.name ?? '', count: 1 });
  }

  /** Rises with time, as nanoseconds would, so that events sorted by name are in the order in which they happened. */
  #suffix(): string {
    const { clock, random } = this.#options;
    const order = BigInt(this.#said++ % 1000) * 1000n + BigInt(random.int(1000));
    return (BigInt(Math.trunc(clock.now())) * 1_000_000n + order).toString(16);
  }

  #eventOf({ component, about, type, reason, message, time }: Draft, namespace: string): Event {
    const { host } = this.#options;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${(about.name ?? '').slice(0, 200)}.${this.#suffix()}`, namespace },
      involvedObject: about,
      type,
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? '',
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
  }
}

/** Sets the key as the newest; forgets the oldest over the limit. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > rememberedLimit && !oldest.done) map.delete(oldest.value);
}
