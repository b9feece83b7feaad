/** Further processes in running containers: docker exec, and health probes. */
import type { ExecCreateRequest, ExecInspect, ExecStartRequest } from '#api/docker/containers.ts';
import type { ExecSession, ExecSpec } from '#core/containers/types.ts';
import { combineCapabilities } from '#core/containers/capabilities.ts';
import { resolveUser } from '#core/containers/user.ts';
import { Fault, asFault } from '#lib/errors.ts';
import { hex } from '#lib/random.ts';
import { sigkill } from '../signals.ts';
import { AttachSession } from './attach-session.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer } from './context.ts';
import { parseDetachKeys } from './detach-keys.ts';
import type { Exec } from './live.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive } from './record.ts';
import { processEnv } from './spec.ts';
import { checkSecurity } from './host-config.ts';

/** Characters of a probe's output that are kept. */
const probeOutputLimit = 4096;

/** Execs of one container that are remembered; the oldest that ended go first. */
const execLimit = 1000;
/** The exit code of a command that could not begin. */
const cannotRun = 126;

export class Execs {
  readonly #context: ContainerContext;

  constructor(context: ContainerContext) {
    this.#context = context;
  }

  async create(reference: string, request: ExecCreateRequest): Promise<{ Id: string }> {
    const record = this.#runningContainer(reference);
    if (!request.Cmd?.length) throw new Fault('invalid', 'No exec command specified');
    if (request.DetachKeys) parseDetachKeys(request.DetachKeys);
    const id = hex(this.#context.random, 32);
    this.#forgetOld(record.id);
    const size = request.ConsoleSize ? { size: sizeOf(request.ConsoleSize) } : {};
    this.#context.set.live(record.id).execs.set(id, { id, containerId: record.id, request, ...size, started: false, running: false, exitCode: null });
    emitContainer(this.#context, record, `exec_create: ${request.Cmd.join(' ')}`, { execID: id });
    return Promise.resolve({ Id: id });
  }

  #runningContainer(reference: string): ContainerRecord {
    const record = this.#context.set.must(reference);
    if (record.state.status === 'paused') throw new Fault('conflict', `Container ${reference} is paused, unpause the container before exec`);
    if (record.state.status === 'restarting') throw new Fault('conflict', `Container ${reference} is restarting, wait until the container is running`);
    if (!isAlive(record)) throw new Fault('conflict', `container ${record.id} is not running`);
    return record;
  }

  #must(id: string): Exec {
    for (const live of this.#context.set.lives()) {
      const exec = live.execs.get(id);
      if (exec) return exec;
    }
    throw new Fault('not-found', `No such exec instance: ${id}`);
  }

  #forgetOld(containerId: string): void {
    const { execs } = this.#context.set.live(containerId);
    for (const exec of execs.values()) {
      if (execs.size < execLimit) return;
      if (!exec.running) execs.delete(exec.id);
    }
    if (execs.size >= execLimit) throw new Fault('exhausted', `container ${containerId} has ${execLimit} running execs; end some first`);
  }

  async start(id: string, request: ExecStartRequest): Promise<{ tty: boolean; streams: AttachSession } | undefined> {
    const exec = this.#must(id);
    if (exec.started) throw new Fault('conflict', `Error: Exec command ${id} has already run`);
    const record = this.#runningContainer(exec.containerId);
    exec.started = true;
    if (request.ConsoleSize) exec.size = sizeOf(request.ConsoleSize);
    const attach = !request.Detach;
    const tty = exec.request.Tty ?? false;
    const streams = new AttachSession({
      stdin: attach && (exec.request.AttachStdin ?? false),
      tty,
      wants: { stdout: exec.request.AttachStdout ?? false, stderr: exec.request.AttachStderr ?? false },
      detachKeys: exec.request.DetachKeys ?? '',
      onDetach: () => emitContainer(this.#context, record, 'exec_detach', { execID: id }),
      onClose: () => {},
    });
    emitContainer(this.#context, record, `exec_start: ${(exec.request.Cmd ?? []).join(' ')}`, { execID: id });
    const launched = this.#launch(record, exec, attach ? streams : undefined).catch((error: unknown) => {
      exec.exitCode = exitCodeOf(error);
      emitContainer(this.#context, record, 'exec_die', { execID: id, exitCode: String(exec.exitCode) });
      if (!attach) throw error;
      streams.deliver(exec.request.AttachStdout ? 'stdout' : 'stderr', Buffer.from(`${asFault(error).message}\r\n`));
      streams.finish();
    });
    // who is attached has the streams at once, and makes ready for them while the process is made
    if (attach) return { tty, streams };
    await launched;
    return undefined;
  }

  async #launch(record: ContainerRecord, exec: Exec, streams: AttachSession | undefined): Promise<void> {
    exec.running = true;
    try {
      exec.session = await this.#context.containers.exec(record.id, this.#spec(record, exec.request, exec.size, streams !== undefined));
    } catch (error) {
      exec.running = false;
      throw error;
    }
    const session = exec.session;
    if (exec.size && exec.request.Tty) await session.resize(exec.size).catch(() => {});
    void session.exited.then(({ code }) => {
      exec.running = false;
      exec.exitCode = code;
      emitContainer(this.#context, record, 'exec_die', { execID: exec.id, exitCode: String(code) });
    });
    if (streams && session.streams) connectExec(streams, session, session.streams);
  }

  #spec(record: ContainerRecord, request: ExecCreateRequest, size: Exec['size'], attach: boolean): ExecSpec {
    const { hostConfig: host, config } = record;
    const user = resolveUser(this.#context.files, `/proc/${record.state.pid}/root`, request.User || config.User || '', request.User ? [] : (host.GroupAdd ?? []));
    return {
      process: {
        args: request.Cmd ?? [],
        env: processEnv(record, user.home, request.Env ?? [], request.Tty ?? false),
        cwd: request.WorkingDir || config.WorkingDir || '/',
        terminal: request.Tty ?? false,
        ...(size && size.rows > 0 ? { size } : {}),
        user,
        ...(host.Privileged ? {} : { capabilities: combineCapabilities(host.CapAdd ?? [], host.CapDrop ?? []) }),
        noNewPrivileges: checkSecurity(host).noNewPrivileges,
      },
      stdin: attach && (request.AttachStdin ?? false),
      privileged: (request.Privileged ?? false) || (host.Privileged ?? false),
      attach,
    };
  }

  async inspect(id: string): Promise<ExecInspect> {
    const exec = this.#must(id);
    const { request } = exec;
    const [entrypoint = '', ...args] = request.Cmd ?? [];
    return Promise.resolve({
      ID: id,
      Running: exec.running,
      ExitCode: exec.exitCode,
      ProcessConfig: { tty: request.Tty ?? false, entrypoint, arguments: args, privileged: request.Privileged ?? false, ...(request.User ? { user: request.User } : {}) },
      OpenStdin: request.AttachStdin ?? false,
      OpenStderr: request.AttachStderr ?? false,
      OpenStdout: request.AttachStdout ?? false,
      CanRemove: false,
      ContainerID: exec.containerId,
      DetachKeys: request.DetachKeys ?? '',
      Pid: exec.session?.pid ?? 0,
    });
  }

  async resize(id: string, size: { rows: number; columns: number }): Promise<void> {
    const exec = this.#must(id);
    exec.size = size;
    // before its start the size is kept for it
    if (exec.session && exec.running) await exec.session.resize(size);
  }

  /** Runs a probe to its end or its timeout; its process is then killed. */
  async probe(record: ContainerRecord, command: readonly string[], timeoutMs: number): Promise<{ code: number; output: string; timedOut: boolean }> {
    const spec = this.#spec(record, { Cmd: [...command] }, undefined, true);
    const session = await this.#context.containers.exec(record.id, spec);
    let output = '';
    session.streams?.onOutput((_stream, data) => {
      if (output.length <= probeOutputLimit) output += data.toString('utf8');
    });
    let timedOut = false;
    const timer = this.#context.clock.after(timeoutMs, () => {
      timedOut = true;
      session.kill(sigkill).catch(() => {});
    });
    const ended = new Promise<void>((resolve) => session.streams?.onEnd(() => resolve()));
    const { code } = await session.exited;
    timer.cancel();
    if (!timedOut) await ended;
    session.streams?.close();
    return { code, output: output.length > probeOutputLimit ? `${output.slice(0, probeOutputLimit)}...` : output, timedOut };
  }
}

/** The client's stream ends when the output has and the exit code is known, since it asks for that next. */
function connectExec(streams: AttachSession, session: ExecSession, source: NonNullable<ExecSession['streams']>): void {
  streams.connect({
    onOutput: (handler) => source.onOutput(handler),
    onEnd: (handler) => source.onEnd(() => void session.exited.then(() => handler(), () => handler())),
    write: (data) => source.write(data),
    endInput: () => source.endInput(),
    pause: () => source.pause(),
    resume: () => source.resume(),
    close: () => source.close(),
  });
}

function sizeOf([rows, columns]: [number, number]): { rows: number; columns: number } {
  return { rows, columns };
}

function exitCodeOf(error: unknown): number {
  const code = asFault(error).details['exitCode'];
  return typeof code === 'number' ? code : cannotRun;
}
