/**
 * The clients that are attached to a container's main process share one connection to its supervisor: conmon 2.1.6 ends, and
 * its container with it, where several connections break amid its writing. It is made for the first client and given up with
 * the last; only where its end would end the process's input (`once`) it stays for the next client.
 *
 * Each client takes the output at its own pace, as dockerd has it: one that is `clientBehindBytes` behind makes the process
 * wait, and the others with it, so that nothing is lost of `docker run … | gzip`. One that takes nothing at all for
 * `stalledMs`, while another waits, is cut off. Alone, with its process, a client may wait for as long as it likes; of what a
 * process left that ended it has to take something each `endedMs`, or `killedMs` where it was killed, since so long nobody is told of the end.
 *
 * Input of several clients is merged, a write whole. Where a client's ends: `once`, so does the process's; `open`, the process
 * reads on, and the client is shown no more; `none`, nothing.
 */
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { Attachment } from './attachment.ts';
import type { Others, Piece } from './attachment.ts';
import type { ContainerSpec, Streams } from './types.ts';

/** Milliseconds without a piece taken, while another client waits. */
export const stalledMs = 10_000;
/** The same, when the process has ended by itself: dockerd gives 2 s then, too little for who pages through it. */
export const endedMs = 60_000;
/** The same, when it was killed. */
export const killedMs = 2000;

export type Input = 'none' | 'open' | 'once';

/** With a terminal a client's end of input is no end of the terminal's. */
export function inputOf(spec: Pick<ContainerSpec, 'stdin' | 'stdinOnce' | 'process'>): Input {
  if (!spec.stdin) return 'none';
  return spec.stdinOnce && !spec.process.terminal ? 'once' : 'open';
}

export interface AttachmentsOptions {
  /** Connects to the supervisor. */
  connect(): Promise<Streams>;
  input: Input;
  clock: Clock;
  /** Resolves when the main process has ended, whatever of its output is still to be taken. */
  processEnded(signal: AbortSignal): Promise<unknown>;
}

export class Attachments implements Others {
  readonly #options: AttachmentsOptions;
  readonly #clients = new Set<Attachment>();
  /** Those that the process waits for. */
  readonly #full = new Set<Attachment>();
  #connecting: Promise<Streams> | undefined;
  #source: Streams | undefined;
  #writes: Promise<unknown> = Promise.resolve();
  #inputEnded = false;
  #watch: AbortController | undefined;
  #lastMs: number | undefined;

  constructor(options: AttachmentsOptions) {
    this.#options = options;
  }

  /** Fails as `connect` does. */
  async attach(): Promise<Streams> {
    // before the connection is there: what comes first is for it too
    const client = new Attachment(this);
    this.#clients.add(client);
    this.#judge();
    try {
      await (this.#connecting ??= this.#connect());
      return client;
    } catch (error) {
      this.#clients.delete(client);
      throw error;
    }
  }

  async #connect(): Promise<Streams> {
    try {
      const source = await this.#options.connect();
      this.#source = source;
      if (this.#options.input === 'none') source.endInput();
      source.onOutput((stream, data) => {
        const piece: Piece = { stream, data };
        for (const client of this.#clients) client.take(piece);
      });
      source.onEnd(() => {
        if (this.#source !== source) return;
        this.#letGo();
        for (const client of this.#clients) client.finish();
        this.#clients.clear();
      });
      return source;
    } catch (error) {
      this.#connecting = undefined;
      throw error;
    }
  }

  #letGo(): void {
    this.#source = undefined;
    this.#connecting = undefined;
    this.#watch?.abort();
    this.#watch = undefined;
    this.#full.clear();
  }

  write(data: Uint8Array): Promise<void> {
    const written = this.#source?.write(data) ?? Promise.resolve();
    this.#writes = Promise.allSettled([this.#writes, written]);
    return written;
  }

  /** A client's input has ended. */
  endInput(client: Attachment): void {
    if (this.#options.input === 'open') {
      client.finish();
      this.leave(client);
    }
    if (this.#options.input !== 'once' || this.#inputEnded) return;
    this.#inputEnded = true;
    this.#source?.endInput();
    this.#closeUnused();
  }

  filled(client: Attachment): void {
    this.#full.add(client);
    this.#source?.pause();
    if (!this.#watch) this.#watchProcess((this.#watch = new AbortController()));
    this.#judge();
  }

  emptied(client: Attachment): void {
    if (!this.#full.delete(client)) return;
    client.stalled?.cancel();
    client.stalled = undefined;
    if (this.#full.size === 0) this.#source?.resume();
    this.#judge();
  }

  /** It is still full, but has taken something. */
  took(client: Attachment): void {
    client.stalled?.cancel();
    client.stalled = undefined;
    this.#judge();
  }

  leave(client: Attachment): void {
    if (!this.#clients.delete(client)) return;
    this.emptied(client);
    this.#judge();
    this.#closeUnused();
  }

  #closeUnused(): void {
    const source = this.#source;
    if (!source || this.#clients.size > 0 || (this.#options.input === 'once' && !this.#inputEnded)) return;
    // what was typed last is still on its way
    void this.#writes.then(() => {
      if (this.#clients.size > 0 || this.#source !== source) return;
      this.#letGo();
      source.close();
    });
  }

  /** The daemon goes; the process does not. */
  close(): void {
    const source = this.#source;
    this.#letGo();
    source?.close();
    for (const client of this.#clients) client.finish();
    this.#clients.clear();
  }

  /** The process is being killed. */
  killed(): void {
    this.#end(killedMs);
  }

  #end(lastMs: number): void {
    this.#lastMs = Math.min(lastMs, this.#lastMs ?? Infinity);
    for (const client of this.#full) this.took(client);
  }

  #watchProcess({ signal }: AbortController): void {
    this.#options.processEnded(signal).then(() => void (signal.aborted || this.#end(endedMs)), () => {});
  }

  /** Whom nobody can wait for any longer is given its time. */
  #judge(): void {
    const othersWait = this.#clients.size > this.#full.size;
    const limit = othersWait ? Math.min(stalledMs, this.#lastMs ?? Infinity) : this.#lastMs;
    for (const client of this.#full) {
      if (limit === undefined) {
        client.stalled?.cancel();
        client.stalled = undefined;
      } else {
        client.stalled ??= this.#options.clock.after(limit, () => {
          client.finish(new Fault('timeout', `cut off: this client took no output for ${limit / 1000} s`));
          this.leave(client);
        }).unref();
      }
    }
  }
}
