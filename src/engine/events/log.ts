/** The engine's events: the last 256 are kept, listeners get all that follow. */
import type { EventsOptions } from '#api/docker/calls.ts';
import type { EventMessage } from '#api/docker/events.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { eventMatcher } from './match.ts';

/** Past events that `since` can reach. */
export const keptEvents = 256;
/** Events that one slow listener may be behind; then it is ended. */
const listenerBacklog = 4096;

export class EventLog {
  readonly #clock: Clock;
  readonly #kept: EventMessage[] = [];
  readonly #listeners = new Set<Listener>();
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  emit(type: string, action: string, id: string, attributes: Record<string, string> = {}): void {
    // strictly rising, so that clients can order and resume by it
    this.#last = Math.max(this.#clock.now() * 1e6, this.#last + 256);
    const event: EventMessage = {
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: 'local',
      time: Math.floor(this.#last / 1e9),
      timeNano: this.#last,
    };
    if (type === 'container' || type === 'image') Object.assign(event, legacy(type, action, id, attributes));
    this.#kept.push(event);
    if (this.#kept.length > keptEvents) this.#kept.shift();
    for (const listener of this.#listeners) listener.offer(event);
  }

  /** Past events where `since` or `until` asks for them, then live ones. Registered before it returns. */
  read(options: EventsOptions, signal: AbortSignal): AsyncIterable<EventMessage> {
    const matches = eventMatcher(options.filters);
    const asksPast = options.since !== undefined || options.until !== undefined;
    const within = (event: EventMessage): boolean =>
      BigInt(event.timeNano) >= (options.since ?? 0n) && (options.until === undefined || BigInt(event.timeNano) <= options.until);
    const past = asksPast ? this.#kept.filter((event) => within(event) && matches(event)) : [];
    const left = options.until === undefined ? undefined : Number(options.until / 1_000_000n) - this.#clock.now();
    if (left !== undefined && left <= 0) return fromArray(past);
    const listener = new Listener(matches, past);
    this.#listeners.add(listener);
    const end = (): void => {
      this.#listeners.delete(listener);
      listener.end();
    };
    const timer = left === undefined ? undefined : this.#clock.after(left, end).unref();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    return listener.drain(() => {
      timer?.cancel();
      end();
    });
  }
}

function legacy(type: string, action: string, id: string, attributes: Record<string, string>): Partial<EventMessage> {
  const from = type === 'container' ? attributes['image'] : undefined;
  return { status: action, id, ...(from === undefined ? {} : { from }) };
}

// oxlint-disable-next-line require-await
async function* fromArray(events: readonly EventMessage[]): AsyncGenerator<EventMessage> {
  yield* events;
}

class Listener {
  readonly #matches: (event: EventMessage) => boolean;
  readonly #queue: EventMessage[];
  #wake: () => void = () => {};
  #ended = false;
  #behind = false;

  constructor(matches: (event: EventMessage) => boolean, past: readonly EventMessage[]) {
    this.#matches = matches;
    this.#queue = [...past];
  }

  offer(event: EventMessage): void {
    if (this.#ended || !this.#matches(event)) return;
    if (this.#queue.length >= listenerBacklog) {
      this.#behind = true;
      this.end();
      return;
    }
    this.#queue.push(event);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async *drain(done: () => void): AsyncGenerator<EventMessage> {
    try {
      for (;;) {
        const event = this.#queue.shift();
        if (event) yield event;
        else if (this.#behind) throw new Fault('expired', `the listener fell more than ${listenerBacklog} events behind; ask again with since`);
        else if (this.#ended) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      done();
    }
  }
}
