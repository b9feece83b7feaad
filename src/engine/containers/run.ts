/** One run of a container: made ready and let go, or taken back. Called with the container's lock held. */
import { etcMounts, writeEtcFiles } from './etc-files.ts';
import type { AttachSession } from './attach-session.ts';
import { deferred } from '#lib/async.ts';
import type { ContainerStatus } from '#core/containers/types.ts';
import { Fault, asFault, isFault } from '#lib/errors.ts';
import type { ContainerContext } from './context.ts';
import { directoryOf, emitContainer } from './context.ts';
import { etcInputOf, joinNetworks, leaveNetworks, openSandbox, planNetworks } from './networking.ts';
import type { ContainerRecord, StateRecord } from './record.ts';
import { checkMounts, runSpec } from './spec.ts';
import type { HeldMount } from './spec.ts';

/** What a state says from the moment on that its process was let go. */
export function stateOfRun({ pid, startedAt, createdAt }: ContainerStatus, restartCount: number): Partial<StateRecord> {
  return { status: 'running', pid: pid ?? 0, startedAt: startedAt ?? createdAt, exitCode: 0, error: '', oomKilled: false, restartCount };
}

/** Begins a run. On failure all is as before it, but for the state's error and exit code. */
export async function beginRun(context: ContainerContext, record: ContainerRecord, restartCount: number): Promise<ContainerRecord> {
  const { set, containers, rootfs } = context;
  const undo: (() => Promise<unknown>)[] = [];
  const held: HeldMount[] = [];
  try {
    const plan = planNetworks(context, record);
    const root = await rootfs.hold(record.id);
    undo.push(() => rootfs.release(record.id));
    undo.push(() => leaveNetworks(context, record));
    const namespace = await openSandbox(context, record);
    const directory = directoryOf(context, record.id);
    const etc = await etcInputOf(context, record, plan);
    await writeEtcFiles(directory, etc);
    const spec = await runSpec(context, record, { rootfs: root, network: namespace, etcMounts: etcMounts(directory), held });
    await containers.remove(record.id);
    undo.push(() => containers.remove(record.id));
    const making = deferred<void>();
    const creating = containers.create(spec, { onMaking: () => making.resolve() });
    // connecting its network keeps this thread, and is over before the process is made: it is begun second
    const joining = Promise.race([making.promise, creating]).then(() => joinNetworks(context, record, plan, namespace));
    const [created, joined] = await Promise.allSettled([creating, joining]);
    if (created.status === 'rejected') throw created.reason;
    if (joined.status === 'rejected') throw joined.reason;
    checkMounts(context, created.value.pid ?? 0, held);
    if (joined.value.length > 0) await writeEtcFiles(directory, { ...etc, endpoints: joined.value });
    await connectSessions(context, record.id);
    const status = await containers.start(record.id);
    const running = await set.setState(record.id, stateOfRun(status, restartCount));
    emitContainer(context, running, 'start');
    return running;
  } catch (error) {
    for (const step of undo.reverse()) await step().catch((cause: unknown) => context.log.warn('cannot take back a start', { id: record.id, error: cause }));
    throw await recordFailure(context, record, error);
  } finally {
    for (const { fd } of held) context.files.close(fd);
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

/** What a run held, after its end; `letGo` of its root file system comes when no process is left. */
export async function endRun(context: ContainerContext, record: ContainerRecord, letGo: () => Promise<void>): Promise<void> {
  const trying = async (what: string, step: () => Promise<unknown>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      context.log.warn(`a container ended, and the engine could not ${what}`, { id: record.id, error });
    }
  };
  const process = async (): Promise<void> => {
    await trying('remove its process', () => context.containers.remove(record.id));
    await trying('let go of its root file system', letGo);
  };
  await Promise.all([trying('leave its networks', () => leaveNetworks(context, record)), process()]);
  for (const mount of record.mounts) {
    if (mount.volume !== undefined) context.events.emit('volume', 'unmount', mount.volume, { container: record.id, driver: 'local' });
  }
}

/** Resolves when nothing of a run that ended is left: its networks and mounts too, which its state tells nothing of. */
export async function runIsOver(context: ContainerContext, id: string): Promise<void> {
  await context.set.lock(id, () => Promise.resolve()).catch((error: unknown) => {
    if (!isFault(error, 'not-found')) throw error;
  });
}
