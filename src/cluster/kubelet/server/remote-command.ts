/** exec and attach: a process's streams joined to a client's channels, whatever carries them. */
import type { ExecSession, Streams, TerminalSize } from '#core/containers/types.ts';
import type { Clock } from '#lib/clock.ts';
import { isFault, messageOf } from '#lib/errors.ts';

/** How long a terminal waits for its client's size before it starts without one, in milliseconds. Clients send it at once. */
const sizeWaitMs = 250;

/** A client's side: what WebSocket and SPDY both come down to. */
export interface RemoteChannels {
  /** Resolves when it may take more. */
  output(stream: 'stdout' | 'stderr', data: Buffer): Promise<void>;
  /** The last word: how it ended. Then the connection closes. */
  status(status: RemoteStatus): void;
  onInput(handler: (data: Buffer) => void): void;
  onInputEnd(handler: () => void): void;
  /** The handler replaces the one before, and is told the newest size at once where it is known. */
  onResize(handler: (size: TerminalSize) => void): void;
  onClose(handler: () => void): void;
  /** Stops and starts reading input. */
  pauseInput(): void;
  resumeInput(): void;
}

/** A `metav1.Status` in outline. */
export interface RemoteStatus {
  metadata: Record<string, never>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  code?: number;
  details?: { causes: { reason: string; message: string }[] };
}

export function exitStatus(code: number): RemoteStatus {
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

export function failureStatus(error: unknown): RemoteStatus {
  const reason = isFault(error, 'not-found') ? 'NotFound' : isFault(error, 'invalid', 'conflict') ? 'BadRequest' : 'InternalError';
  return { metadata: {}, status: 'Failure', message: messageOf(error), reason, code: reason === 'NotFound' ? 404 : reason === 'BadRequest' ? 400 : 500 };
}

export interface Joined {
  streams: Streams;
  /** Whether the client's input goes to the process. */
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  resize(size: TerminalSize): Promise<void>;
}

/** Joins both until the process's output ends or the client goes. Resolves with who went first; rejects where the client is cut off. */
export function join(channels: RemoteChannels, joined: Joined): Promise<'process' | 'client'> {
  const { streams } = joined;
  const { promise, resolve, reject } = Promise.withResolvers<'process' | 'client'>();
  let pending = Promise.resolve();
  streams.onOutput((stream, data) => {
    if (!joined[stream]) return;
    streams.pause();
    pending = channels.output(stream, data).then(
      () => streams.resume(),
      () => {},
    );
  });
  streams.onEnd((cause) => void (cause ? reject(cause) : pending.then(() => resolve('process'))));
  if (joined.stdin) {
    channels.onInput((data) => {
      channels.pauseInput();
      streams.write(data).then(
        () => channels.resumeInput(),
        () => channels.resumeInput(),
      );
    });
    channels.onInputEnd(() => streams.endInput());
  }
  channels.onResize((size) => void joined.resize(size).catch(() => {}));
  channels.onClose(() => resolve('client'));
  return promise;
}

/** The size of the client's terminal, so that a program finds it from its first moment on. */
export function firstSize(channels: RemoteChannels, clock: Clock): Promise<TerminalSize | undefined> {
  return new Promise((resolve) => {
    const timer = clock.after(sizeWaitMs, () => resolve(undefined));
    channels.onResize((size) => {
      timer.cancel();
      resolve(size);
    });
  });
}

/** Serves one exec to its end. */
export async function serveExec(channels: RemoteChannels, begin: () => Promise<ExecSession>, wants: { stdin: boolean; stdout: boolean; stderr: boolean }): Promise<void> {
  try {
    const session = await begin();
    const streams = session.streams!;
    const first = await join(channels, { streams, ...wants, resize: (size) => session.resize(size) });
    if (first === 'client') {
      // As with other runtimes: the process goes on without its client, and sees the end of its input.
      streams.close();
      return;
    }
    channels.status(exitStatus((await session.exited).code));
  } catch (error) {
    channels.status(failureStatus(error));
  }
}

/** Serves one attach until the container ends or the client goes. */
export async function serveAttach(channels: RemoteChannels, begin: () => Promise<Joined>): Promise<void> {
  try {
    const joined = await begin();
    const first = await join(channels, joined);
    // with the client its input is gone
    if (joined.stdin) joined.streams.endInput();
    joined.streams.close();
    if (first === 'process') channels.status(exitStatus(0));
  } catch (error) {
    channels.status(failureStatus(error));
  }
}
