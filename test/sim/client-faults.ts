import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { KubeClient, ListOptions, ResourceRef, WatchEvent, WatchOptions } from '#client/kube/types.ts';
import type { Chance } from './chance.ts';
import type { Faults } from './faults.ts';
import { slowest } from './faults.ts';

/** The API server as it can be reached now. */
export interface Served {
  client: KubeClient;
  /** Rejects with `unavailable` when the server is killed. */
  died: Promise<never>;
}

export interface FaultyClientOptions {
  /** Undefined while there is no server. */
  server: () => Served | undefined;
  /** Resolves when the history of the store is cut off next. */
  compaction: () => Promise<void>;
  /** Of the process that asks; killed, it hears no answer and no event any more. */
  clock: Clock & { dead?: boolean };
  chance: Chance;
  faults: Faults;
  /** From another machine: an answer may be lost on its way. */
  remote: boolean;
  /** Hears up to which revision of a resource the client was told. */
  told?: (ref: ResourceRef, revision: number) => void;
}

/** Of what a watch has told, so much may be told again. */
const rememberedEvents = 12;
const shareOfCompacted = 0.5;

/** A client whose requests and watches fail as those over a network do. */
export function faultyClient(options: FaultyClientOptions): KubeClient {
  const { server, clock, chance, faults, remote, told } = options;
  const revisions = new Revisions();
  const call = async <T>(run: (client: KubeClient) => Promise<T>): Promise<T> => {
    if (chance.happens(faults.request.slow)) await clock.sleep(chance.between(1, slowest.request));
    if (chance.happens(faults.request.refused)) throw new Fault('unavailable', 'the request was refused; try again');
    const served = serverOf(server);
    const lost = remote && chance.happens(faults.request.lost);
    const answer = await heard(clock, Promise.race([run(served.client), served.died]));
    if (lost) throw new Fault('unavailable', 'the connection broke before the answer');
    return answer;
  };
  return {
    get: (ref, name, namespace, more) => call((client) => client.get(ref, name, namespace, more)),
    list: async <T>(ref: ResourceRef, more?: ListOptions) => {
      const listed = await call((client) => client.list<T>(ref, more));
      // Lists of one namespace are somebody's own look: what informers hold is as old as it was.
      if (more?.namespace === undefined) told?.(ref, Number(listed.metadata.resourceVersion));
      return listed;
    },
    create: (ref, object, more) => call((client) => client.create(ref, object, more)),
    update: (ref, object, more) => call((client) => client.update(ref, object, more)),
    patch: (ref, name, patch, more) => call((client) => client.patch(ref, name, patch, more)),
    delete: (ref, name, more) => call((client) => client.delete(ref, name, more)),
    request: (method, path, body, more) => call((client) => client.request(method, path, body, more)),
    stream: (path, more) => call((client) => client.stream(path, more)),
    watch: <T>(ref: ResourceRef, watching: WatchOptions) => watch<T>(options, revisions, ref, watching),
  };
}

/** What comes for a process that is dead by then is for nobody. */
async function heard<T>(process: { dead?: boolean }, coming: Promise<T>): Promise<T> {
  try {
    return await coming;
  } finally {
    if (process.dead) await new Promise<never>(() => {});
  }
}

function serverOf(server: () => Served | undefined): Served {
  const served = server();
  if (!served) throw new Fault('unavailable', 'the API server does not run');
  return served;
}

const revisionOf = (object: unknown): string => (object as { metadata: { resourceVersion?: string } }).metadata.resourceVersion ?? '';

/** Which revisions the watches of each selection have told of late. */
class Revisions {
  readonly #of = new Map<string, string[]>();

  add(ref: ResourceRef, options: WatchOptions, revision: string): void {
    const key = this.#key(ref, options);
    this.#of.set(key, [...(this.#of.get(key) ?? []), revision].slice(-rememberedEvents));
  }

  recent(ref: ResourceRef, options: WatchOptions): readonly string[] {
    return this.#of.get(this.#key(ref, options)) ?? [];
  }

  #key({ group, resource }: ResourceRef, { namespace, labelSelector, fieldSelector }: WatchOptions): string {
    return JSON.stringify([group, resource, namespace, labelSelector, fieldSelector]);
  }
}

async function* watch<T>({ server, clock, chance, faults, told, compaction }: FaultyClientOptions, revisions: Revisions, ref: ResourceRef, given: WatchOptions): AsyncGenerator<WatchEvent<T>> {
  if (chance.happens(faults.request.refused)) throw new Fault('unavailable', 'the watch was refused; try again');
  if (chance.happens(faults.watch.expired)) throw new Fault('expired', 'too old resource version');
  const { client, died } = serverOf(server);
  const known = revisions.recent(ref, given);
  const options = known.length > 0 && chance.happens(faults.watch.rewound) ? { ...given, resourceVersion: chance.pick(known) } : given;
  const events = client.watch<T>(ref, options)[Symbol.asyncIterator]();
  const cut = compaction().then<never>(() => (chance.happens(shareOfCompacted) ? Promise.reject(new Fault('expired', 'the history was compacted')) : new Promise<never>(() => {})));
  cut.catch(() => {});
  const past: WatchEvent<T>[] = [];
  try {
    for (;;) {
      const next = await heard(clock, Promise.race([events.next(), died, cut]));
      if (next.done === true) return;
      if (chance.happens(faults.watch.slow)) await clock.sleep(chance.between(1, slowest.watch), options.signal);
      if (chance.happens(faults.watch.expired)) throw new Fault('expired', 'the watch fell behind; list again');
      if (chance.happens(faults.watch.broken)) {
        // At times as an error, at times as an end.
        if (chance.happens(0.5)) return;
        throw new Fault('unavailable', 'the watch broke');
      }
      const revision = revisionOf(next.value.object);
      told?.(ref, Number(revision));
      revisions.add(ref, given, revision);
      past.push(next.value);
      if (past.length > rememberedEvents) past.shift();
      yield next.value;
      if (chance.happens(faults.watch.repeated)) yield next.value;
      if (chance.happens(faults.watch.late)) yield chance.pick(past);
    }
  } finally {
    void events.return?.(undefined)?.catch(() => {});
  }
}
