/** The containers' side of Docker's door. */
import type { AttachOptions, CommitOptions, ListContainersOptions, LogsOptions, StopOptions, WaitCondition } from '#api/docker/calls.ts';
import type * as api from '#api/docker/containers.ts';
import type { Filters } from '#api/docker/common.ts';
import type { CommitResponse } from '#api/docker/images.ts';
import type { StatsResponse } from '#api/docker/stats.ts';
import type { LogEntry } from '#core/logs/types.ts';
import type { AttachSession } from './attach-session.ts';
import { commitContainer } from './commit.ts';
import { changesOf } from './changes.ts';
import type { ContainerContext } from './context.ts';
import { createContainer } from './create.ts';
import { inspectContainer } from './inspect.ts';
import type { Lifecycle } from './lifecycle.ts';
import { listContainers } from './list.ts';
import { pruneContainers, renameContainer, resizeContainer } from './manage.ts';
import { statsOf } from './stats.ts';
import { attach, logs, wait } from './streams.ts';
import { topOf } from './top.ts';
import { updateContainer } from './update.ts';

export class ContainersBackend {
  readonly #context: ContainerContext;
  readonly #lifecycle: Lifecycle;

  constructor(context: ContainerContext, lifecycle: Lifecycle) {
    this.#context = context;
    this.#lifecycle = lifecycle;
  }

  list(options: ListContainersOptions): Promise<api.ContainerSummary[]> {
    return listContainers(this.#context, options);
  }

  create(request: api.CreateRequest, options: { name?: string; platform?: string }): Promise<api.CreateResponse> {
    return createContainer(this.#context, request, options);
  }

  async inspect(reference: string, options: { size?: boolean } = {}): Promise<api.ContainerInspect> {
    return inspectContainer(this.#context, this.#context.set.must(reference), options.size ?? false);
  }

  async start(reference: string): Promise<void> {
    await this.#lifecycle.start(reference);
  }

  async stop(reference: string, options: StopOptions): Promise<void> {
    await this.#lifecycle.stop(reference, options);
  }

  async restart(reference: string, options: StopOptions): Promise<void> {
    await this.#lifecycle.restart(reference, options);
  }

  async kill(reference: string, signal?: string): Promise<void> {
    await this.#lifecycle.kill(reference, signal);
  }

  async pause(reference: string): Promise<void> {
    await this.#lifecycle.pause(reference);
  }

  async unpause(reference: string): Promise<void> {
    await this.#lifecycle.unpause(reference);
  }

  async rename(reference: string, name: string): Promise<void> {
    await renameContainer(this.#context, reference, name);
  }

  async update(reference: string, request: api.UpdateRequest): Promise<{ Warnings: string[] | null }> {
    return updateContainer(this.#context, reference, request);
  }

  async remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    await this.#lifecycle.remove(reference, options);
  }

  async wait(reference: string, condition: WaitCondition, signal: AbortSignal): Promise<{ result: Promise<api.WaitResponse> }> {
    return Promise.resolve(wait(this.#context, reference, condition, signal));
  }

  async attach(reference: string, options: AttachOptions): Promise<{ tty: boolean; streams: AttachSession }> {
    return attach(this.#context, reference, options);
  }

  async resize(reference: string, size: { rows: number; columns: number }): Promise<void> {
    await resizeContainer(this.#context, reference, size);
  }

  async logs(reference: string, options: LogsOptions, signal: AbortSignal): Promise<{ tty: boolean; entries: AsyncIterable<LogEntry> }> {
    return Promise.resolve(logs(this.#context, reference, options, signal));
  }

  async stats(reference: string, options: { stream: boolean; oneShot: boolean }, signal: AbortSignal): Promise<AsyncIterable<StatsResponse>> {
    return Promise.resolve(statsOf(this.#context, this.#context.set.must(reference), options, signal));
  }

  async top(reference: string, psArgs: string): Promise<api.TopResponse> {
    return topOf(this.#context, reference, psArgs);
  }

  async changes(reference: string): Promise<api.FilesystemChange[] | null> {
    return changesOf(this.#context, this.#context.set.must(reference));
  }

  async commit(reference: string, options: CommitOptions): Promise<CommitResponse> {
    return commitContainer(this.#context, reference, options);
  }

  async prune(filters: Filters): Promise<api.ContainersPruneResponse> {
    return pruneContainers(this.#context, this.#lifecycle, filters);
  }
}
