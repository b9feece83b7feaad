import type { Duplex, Readable } from 'node:stream';
import type { JsonMessage } from '#api/docker/common.ts';
import type * as containers from '#api/docker/containers.ts';
import type { EventMessage } from '#api/docker/events.ts';
import type * as images from '#api/docker/images.ts';
import type * as networks from '#api/docker/networks.ts';
import type * as system from '#api/docker/system.ts';
import { newestApi, showApi } from '#api/docker/versions.ts';
import type * as volumes from '#api/docker/volumes.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { readFrames, readLines } from './streams.ts';
import type {
  BuildRequest, DockerAnswer, DockerClient, DockerRequest, DockerTransport, ExecResult, LogRequest, Output, QueryValue, StreamOptions,
} from './types.ts';
import { failureOf } from './unix.ts';

type Query = Readonly<Record<string, QueryValue>>;
/** A client over `transport`; it speaks the newest API version unless told otherwise. */
export function createDockerClient(transport: DockerTransport, apiVersion: string = showApi(newestApi)): DockerClient {
  return new HttpDockerClient(transport, apiVersion);
}

class HttpDockerClient implements DockerClient {
  readonly #transport: DockerTransport;
  readonly #prefix: string;

  constructor(transport: DockerTransport, apiVersion: string) {
    this.#transport = transport;
    this.#prefix = `/v${apiVersion}`;
  }

  close(): void {
    this.#transport.close();
  }

  async #send(request: DockerRequest): Promise<DockerAnswer> {
    const answer = await this.#transport.request({ ...request, path: `${this.#prefix}${request.path}` });
    if (answer.status >= 300) throw await failureOf(answer);
    return answer;
  }

  async #json<T>(method: DockerRequest['method'], path: string, query: Query = {}, body?: object): Promise<T> {
    const { body: answer } = await this.#send({ method, path, query, ...(body ? { body } : {}) });
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
  }

  /** A call whose answer has no body that matters. */
  async #call(method: DockerRequest['method'], path: string, query: Query = {}, body?: object): Promise<void> {
    (await this.#send({ method, path, query, ...(body ? { body } : {}) })).body.resume();
  }

  /** Reads a progress stream to its end; its failure is thrown. Gives the last `aux`. */
  async #progress(request: DockerRequest, onMessage: StreamOptions['onMessage'] = () => {}): Promise<unknown> {
    let aux: unknown;
    const { body } = await this.#send(request);
    for await (const message of readLines<JsonMessage>(body as AsyncIterable<Uint8Array>)) {
      if (message.errorDetail) {
        const { code, message: text } = message.errorDetail;
        throw new Fault('internal', text, code === undefined ? {} : { details: { exitCode: code } });
      }
      if (message.aux !== undefined) aux = message.aux;
      onMessage(message);
    }
    return aux;
  }

  async ping(): Promise<{ apiVersion: string }> {
    const answer = await this.#transport.request({ method: 'GET', path: '/_ping' });
    if (answer.status !== 200) throw await failureOf(answer);
    answer.body.resume();
    return { apiVersion: answer.headers['api-version'] ?? '' };
  }

  version(): Promise<system.VersionResponse> {
    return this.#json('GET', '/version');
  }

  info(): Promise<system.InfoResponse> {
    return this.#json('GET', '/info');
  }

  async *events(query: { since?: string; until?: string; filters?: object } = {}, signal?: AbortSignal): AsyncGenerator<EventMessage> {
    const { body } = await this.#send({ method: 'GET', path: '/events', query, ...(signal ? { signal } : {}) });
    yield* readLines<EventMessage>(body as AsyncIterable<Uint8Array>);
  }

  async build(context: Readable | Uint8Array, options: BuildRequest): Promise<string> {
    const { tag, buildArgs, onMessage, signal, noCache, networkMode, ...rest } = options;
    const query = { version: '1', rm: true, t: tag, nocache: noCache, networkmode: networkMode, buildargs: buildArgs, ...rest };
    const aux = await this.#progress({ method: 'POST', path: '/build', query, body: context, ...(signal ? { signal } : {}) }, onMessage);
    return (aux as { ID?: string } | undefined)?.ID ?? '';
  }

  listImages(query: { all?: boolean; filters?: object } = {}): Promise<images.ImageSummary[]> {
    return this.#json('GET', '/images/json', query);
  }

  async inspectImage(name: string): Promise<images.ImageInspect | undefined> {
    try {
      return await this.#json('GET', `/images/${name}/json`);
    } catch (error) {
      if (isFault(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async pull(name: string, { onMessage, signal }: StreamOptions = {}): Promise<void> {
    await this.#progress({ method: 'POST', path: '/images/create', query: { fromImage: name }, ...(signal ? { signal } : {}) }, onMessage);
  }

  async importImage(archive: Readable | Uint8Array, name: string, options: StreamOptions & { changes?: readonly string[] } = {}): Promise<string> {
    let id = '';
    const query = { fromSrc: '-', repo: name, changes: options.changes ?? [] };
    await this.#progress({ method: 'POST', path: '/images/create', query, body: archive, ...(options.signal ? { signal: options.signal } : {}) }, (message) => {
      id = message.status ?? id;
      options.onMessage?.(message);
    });
    return id;
  }

  async load(archive: Readable | Uint8Array, { onMessage, signal }: StreamOptions = {}): Promise<void> {
    await this.#progress({ method: 'POST', path: '/images/load', query: { quiet: true }, body: archive, ...(signal ? { signal } : {}) }, onMessage);
  }

  tag(name: string, repo: string, tag: string): Promise<void> {
    return this.#call('POST', `/images/${name}/tag`, { repo, tag });
  }

  removeImage(name: string, query: { force?: boolean } = {}): Promise<images.ImageDeleteItem[]> {
    return this.#json('DELETE', `/images/${name}`, query);
  }

  listContainers(options: { all?: boolean; labels?: readonly string[] } = {}): Promise<containers.ContainerSummary[]> {
    return this.#json('GET', '/containers/json', { all: options.all, ...(options.labels ? { filters: { label: options.labels } } : {}) });
  }

  createContainer(request: containers.CreateRequest, name?: string): Promise<containers.CreateResponse> {
    return this.#json('POST', '/containers/create', { name }, request);
  }

  inspectContainer(id: string): Promise<containers.ContainerInspect> {
    return this.#json('GET', `/containers/${id}/json`);
  }

  start(id: string): Promise<void> {
    return this.#call('POST', `/containers/${id}/start`);
  }

  stop(id: string, seconds?: number): Promise<void> {
    return this.#call('POST', `/containers/${id}/stop`, { t: seconds });
  }

  kill(id: string, signal?: string): Promise<void> {
    return this.#call('POST', `/containers/${id}/kill`, { signal });
  }

  removeContainer(id: string, query: { force?: boolean; v?: boolean } = {}): Promise<void> {
    return this.#call('DELETE', `/containers/${id}`, query);
  }

  async wait(id: string, condition: 'not-running' | 'next-exit' | 'removed' = 'not-running'): Promise<number> {
    return (await this.#json<containers.WaitResponse>('POST', `/containers/${id}/wait`, { condition })).StatusCode;
  }

  async *logs(id: string, request: LogRequest = {}): AsyncGenerator<Output> {
    const query = { stdout: true, stderr: true, follow: request.follow, tail: request.tail };
    const { body } = await this.#send({ method: 'GET', path: `/containers/${id}/logs`, query, ...(request.signal ? { signal: request.signal } : {}) });
    yield* this.#output(body, request.tty ?? false);
  }

  attach(id: string, query: { stdin?: boolean; stdout?: boolean; stderr?: boolean; logs?: boolean }): Promise<Duplex> {
    return this.#transport.upgrade({ method: 'POST', path: `${this.#prefix}/containers/${id}/attach`, query: { stream: true, ...query } });
  }

  async exec(id: string, command: readonly string[], options: { user?: string; env?: readonly string[] } = {}): Promise<ExecResult> {
    const request: containers.ExecCreateRequest = { Cmd: [...command], AttachStdout: true, AttachStderr: true, User: options.user, Env: [...(options.env ?? [])] };
    const { Id } = await this.#json<{ Id: string }>('POST', `/containers/${id}/exec`, {}, request);
    const socket = await this.#transport.upgrade({ method: 'POST', path: `${this.#prefix}/exec/${Id}/start`, body: { Detach: false, Tty: false } });
    const output = { stdout: '', stderr: '' };
    for await (const { stream, data } of this.#output(socket, false)) output[stream] += data.toString('utf8');
    const { ExitCode } = await this.#json<containers.ExecInspect>('GET', `/exec/${Id}/json`);
    return { exitCode: ExitCode ?? -1, ...output };
  }

  async *#output(body: Readable, tty: boolean): AsyncGenerator<Output> {
    if (!tty) yield* readFrames(body as AsyncIterable<Uint8Array>);
    else for await (const data of body) yield { stream: 'stdout', data: data as Buffer };
  }

  listNetworks(query: { filters?: object } = {}): Promise<networks.NetworkInspect[]> {
    return this.#json('GET', '/networks', query);
  }

  createNetwork(request: networks.NetworkCreateRequest): Promise<networks.NetworkCreateResponse> {
    return this.#json('POST', '/networks/create', {}, request);
  }

  removeNetwork(name: string): Promise<void> {
    return this.#call('DELETE', `/networks/${name}`);
  }

  listVolumes(query: { filters?: object } = {}): Promise<volumes.VolumeListResponse> {
    return this.#json('GET', '/volumes', query);
  }

  createVolume(request: volumes.VolumeCreateRequest): Promise<volumes.VolumeInspect> {
    return this.#json('POST', '/volumes/create', {}, request);
  }

  removeVolume(name: string, query: { force?: boolean } = {}): Promise<void> {
    return this.#call('DELETE', `/volumes/${name}`, query);
  }
}
