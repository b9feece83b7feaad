import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { newestApi, showApi } from '#api/docker/versions.ts';
import type { JsonMessage } from '#api/docker/common.ts';
import type { ContainerSummary } from '#api/docker/containers.ts';
import type { ImageInspect } from '#api/docker/images.ts';
import { Fault, type FaultKind } from '#lib/errors.ts';
import type { DockerClient, DockerRequest, DockerResponse, DockerTransport, StreamOptions } from './types.ts';

/** Bytes of an answer that is read whole. */
const answerLimit = 64 << 20;

const kinds: Readonly<Record<number, FaultKind>> = {
  304: 'not-modified', 400: 'invalid', 401: 'unauthenticated', 403: 'forbidden', 404: 'not-found', 409: 'conflict', 501: 'not-implemented', 503: 'unavailable',
};

export function createDockerClient(transport: DockerTransport): DockerClient {
  return new HttpDockerClient(transport);
}

class HttpDockerClient implements DockerClient {
  readonly #transport: DockerTransport;
  readonly #prefix = `/v${showApi(newestApi)}`;

  constructor(transport: DockerTransport) {
    this.#transport = transport;
  }

  async ping(): Promise<void> {
    await this.#text({ method: 'GET', path: '/_ping' });
  }

  async inspectImage(name: string): Promise<ImageInspect | undefined> {
    try {
      return await this.#json<ImageInspect>({ method: 'GET', path: `/images/${name}/json` });
    } catch (error) {
      if (error instanceof Fault && error.kind === 'not-found') return undefined;
      throw error;
    }
  }

  async pull(name: string, options: StreamOptions = {}): Promise<void> {
    const query = new URLSearchParams({ fromImage: name });
    if (!/[:@][^/]*$/.test(name)) query.set('tag', 'latest');
    await this.#messages({ method: 'POST', path: `/images/create?${query}` }, options);
  }

  async importImage(archive: Readable, name: string, options: StreamOptions & { changes?: readonly string[] } = {}): Promise<void> {
    const query = new URLSearchParams({ fromSrc: '-', repo: name });
    for (const change of options.changes ?? []) query.append('changes', change);
    const headers = { 'content-type': 'application/x-tar' };
    await this.#messages({ method: 'POST', path: `/images/create?${query}`, headers, body: archive }, options);
  }

  async build(context: Readable, options: Parameters<DockerClient['build']>[1]): Promise<string> {
    const query = new URLSearchParams({ t: options.tag, version: '1', rm: '1', dockerfile: options.dockerfile ?? 'Dockerfile' });
    if (options.buildArgs) query.set('buildargs', JSON.stringify(options.buildArgs));
    const headers = { 'content-type': 'application/x-tar' };
    let id = '';
    const onMessage = (message: JsonMessage): void => {
      const aux = message.aux as { ID?: string } | undefined;
      if (aux?.ID) id = aux.ID;
      options.onMessage?.(message);
    };
    await this.#messages({ method: 'POST', path: `/build?${query}`, headers, body: context }, { ...options, onMessage });
    if (id === '') throw new Fault('internal', `the build of ${options.tag} ended without an image`);
    return id;
  }

  listContainers(options: { all?: boolean; labels?: readonly string[] } = {}): Promise<ContainerSummary[]> {
    const query = new URLSearchParams({ all: options.all ? '1' : '0' });
    if (options.labels) query.set('filters', JSON.stringify({ label: options.labels }));
    return this.#json<ContainerSummary[]>({ method: 'GET', path: `/containers/json?${query}` });
  }

  async #send(request: DockerRequest): Promise<DockerResponse> {
    const response = await this.#transport({ ...request, path: this.#prefix + request.path });
    if (response.status < 400) return response;
    const text = await readAll(response.body);
    throw new Fault(kinds[response.status] ?? 'internal', messageIn(text), { details: { status: response.status } });
  }

  async #text(request: DockerRequest): Promise<string> {
    return readAll((await this.#send(request)).body);
  }

  async #json<T>(request: DockerRequest): Promise<T> {
    return JSON.parse(await this.#text(request)) as T;
  }

  /** Reads a progress stream to its end; an error line in it is a fault. */
  async #messages(request: DockerRequest, options: StreamOptions): Promise<void> {
    const { body } = await this.#send({ ...request, signal: options.signal });
    for await (const line of createInterface({ input: body })) {
      if (line === '') continue;
      const message = JSON.parse(line) as JsonMessage;
      if (message.errorDetail) throw new Fault('invalid', message.errorDetail.message, { details: { code: message.errorDetail.code } });
      options.onMessage?.(message);
    }
  }
}

async function readAll(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > answerLimit) throw new Fault('too-large', `the engine answered more than ${answerLimit} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function messageIn(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}
