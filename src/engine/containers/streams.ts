/** Attach, logs and wait. */
import { existsSync } from 'node:fs';
import type { AttachOptions, LogsOptions, WaitCondition } from '#api/docker/calls.ts';
import type { WaitResponse } from '#api/docker/containers.ts';
import type { LogEntry } from '#core/logs/types.ts';
import { Fault } from '#lib/errors.ts';
import { AttachSession } from './attach-session.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer, logPathOf } from './context.ts';
import { parseDetachKeys } from './detach-keys.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive, isRunning } from './record.ts';
import { connectSession, runIsOver } from './run.ts';

/** Clients attached to one container at a time. */
const sessionLimit = 1000;

export async function attach(context: ContainerContext, reference: string, options: AttachOptions): Promise<{ tty: boolean; streams: AttachSession }> {
  const record = context.set.must(reference);
  const keys = options.detachKeys ?? '';
  parseDetachKeys(keys);
  const live = context.set.live(record.id);
  if (live.sessions.size >= sessionLimit) throw new Fault('exhausted', `container ${record.id} has ${sessionLimit} clients attached`);
  const tty = record.config.Tty ?? false;
  const streams: AttachSession = new AttachSession({
    stdin: options.stream && options.stdin && (record.config.OpenStdin ?? false),
    tty,
    detachKeys: keys,
    onDetach: () => emitContainer(context, record, 'detach'),
    onClose: () => live.sessions.delete(streams),
  });
  // under the lock, so that no run begins between the look at the state and the connection
  await context.set.lock(record.id, async (now) => {
    if (now.state.status === 'paused') throw new Fault('conflict', `container ${now.id} is paused, unpause the container before attach`);
    if (now.state.status === 'restarting') throw new Fault('conflict', `container ${now.id} is restarting, wait until the container is running`);
    emitContainer(context, now, 'attach');
    if (options.logs) void show(context, now, streams, options.stream);
    if (options.stream) live.sessions.add(streams);
    if (options.stream && isAlive(now)) await connectSession(context, now.id, streams).catch((error: unknown) => endIfOver(context, now.id, streams, error));
    if (!options.logs && !options.stream) streams.finish();
  });
  return { tty, streams };
}

/** It ended between the look at its record and the connection: then so does the stream. */
function endIfOver(context: ContainerContext, id: string, streams: AttachSession, error: unknown): void {
  if (context.containers.get(id)?.exit === undefined) throw error;
  streams.finish();
}

/** What was printed, and with `goesOn` what is printed until the end of the run. Where there is no log (yet), live output alone. */
async function show(context: ContainerContext, record: ContainerRecord, streams: AttachSession, goesOn: boolean): Promise<void> {
  const path = logPathOf(context, record);
  if (path === undefined || !existsSync(path)) {
    if (!goesOn) streams.finish();
    return;
  }
  try {
    await streams.show((follow) => context.logs.read(path, { pieces: true, ...(goesOn ? { follow } : {}) }));
  } catch (error) {
    context.log.warn('cannot show the log to a client', { id: record.id, error });
  }
}

export function logs(context: ContainerContext, reference: string, options: LogsOptions, signal: AbortSignal): { tty: boolean; entries: AsyncIterable<LogEntry> } {
  const record = context.set.must(reference);
  const path = logPathOf(context, record);
  if (path === undefined) throw new Fault('invalid', 'configured logging driver does not support reading');
  const { follow, ...rest } = options;
  const over = new AbortController();
  const following = follow && isRunning(record);
  const ended = following ? context.set.live(record.id).wait('not-running', over.signal) : undefined;
  const entries = context.logs.read(path, { ...rest, ...(ended ? { follow: { ended, signal } } : {}) });
  return { tty: record.config.Tty ?? false, entries: ended ? untilEnd(entries, over) : entries };
}

async function* untilEnd(entries: AsyncIterable<LogEntry>, over: AbortController): AsyncGenerator<LogEntry> {
  try {
    yield* entries;
  } finally {
    over.abort();
  }
}

export function wait(context: ContainerContext, reference: string, condition: WaitCondition, signal: AbortSignal): { result: Promise<WaitResponse> } {
  const record = context.set.must(reference);
  if (condition === 'not-running' && !isRunning(record)) return { result: runIsOver(context, record.id).then(() => ({ StatusCode: record.state.exitCode })) };
  return { result: context.set.live(record.id).wait(condition, signal) };
}
