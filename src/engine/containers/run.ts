/** One run of a container: made ready and let go, or taken back. Called with the container's lock held. */
import { readHostFiles, writeEtcFiles } from './etc-files.ts';
import type { AttachSession } from './attach-session.ts';
import { Fault, asFault } from '#lib/errors.ts';
import type { ContainerContext } from './context.ts';
import { directoryOf, emitContainer } from './context.ts';
import { hostGateway, joinNetworks, leaveNetworks } from './networking.ts';
import type { ContainerRecord } from './record.ts';
import { runSpec } from './spec.ts';

/** Begins a run. On failure all is as before it, but for the state's error and exit code. */
export async function beginRun(context: ContainerContext, record: ContainerRecord): Promise<ContainerRecord> {
  const { set, containers, rootfs } = context;
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const root = await rootfs.hold(record.id);
    undo.push(() => rootfs.release(record.id));
    const joined = await joinNetworks(context, record);
    undo.push(() => leaveNetworks(context, record));
    const etcMounts = await writeEtcFiles(directoryOf(context, record.id), {
      record,
      endpoints: joined.endpoints,
      served: joined.served,
      hostNetwork: joined.namespace === 'host',
      hostGateway: hostGateway(context),
      ...(await readHostFiles()),
    });
    const spec = await runSpec(context, record, { rootfs: root, network: joined.namespace, etcMounts });
    await containers.remove(record.id);
    await containers.create(spec);
    undo.push(() => containers.remove(record.id));
    await connectSessions(context, record.id);
    const status = await containers.start(record.id);
    const startedAt = status.startedAt ?? context.clock.now();
    const running = await set.setState(record.id, { status: 'running', pid: status.pid ?? 0, startedAt, exitCode: 0, error: '', oomKilled: false });
    emitContainer(context, running, 'start');
    return running;
  } catch (error) {
    for (const step of undo.reverse()) await step().catch((cause: unknown) => context.log.warn('cannot take back a start', { id: record.id, error: cause }));
    throw await recordFailure(context, record, error);
  }
}

/** Each client that came before the run gets the run's streams, before it prints anything. */
async function connectSessions(context: ContainerContext, id: string): Promise<void> {
  for (const session of context.set.live(id).sessions) {
    if (!session.isConnected) await connectSession(context, id, session);
  }
}

export async function connectSession(context: ContainerContext, id: string, session: AttachSession): Promise<void> {
  session.connect(await context.containers.attach(id));
}

/** Docker's words and status for a start that failed; the state keeps them. */
async function recordFailure(context: ContainerContext, record: ContainerRecord, error: unknown): Promise<Fault> {
  const fault = asFault(error);
  const code = fault.details['exitCode'];
  const runtime = typeof code === 'number';
  const message = runtime ? `failed to create task for container: ${fault.message}` : fault.message;
  const exitCode = runtime ? code : 128;
  await context.set.setState(record.id, { error: message, exitCode, pid: 0 });
  const live = context.set.live(record.id);
  live.endRun();
  live.exited({ StatusCode: exitCode, Error: null });
  // a port or address that is taken is Docker's 500, not its 409
  const status = fault.kind === 'conflict' ? { status: 500 } : {};
  return new Fault(fault.kind, message, { cause: error, details: { ...fault.details, ...status } });
}

/** What a run held, after its end. */
export async function endRun(context: ContainerContext, record: ContainerRecord): Promise<void> {
  const steps: [string, () => Promise<unknown>][] = [
    ['leave its networks', () => leaveNetworks(context, record)],
    ['remove its process', () => context.containers.remove(record.id)],
    ['unmount its root', () => context.rootfs.release(record.id)],
  ];
  for (const [what, step] of steps) {
    try {
      await step();
    } catch (error) {
      context.log.warn(`a container ended, and the engine could not ${what}`, { id: record.id, error });
    }
  }
  for (const mount of record.mounts) {
    if (mount.volume !== undefined) context.events.emit('volume', 'unmount', mount.volume, { container: record.id, driver: 'local' });
  }
}
