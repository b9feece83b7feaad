/** A registry for tests that says what a test lets it say: an HTTP server, and an honest image to tell lies about. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { mediaTypes } from '#api/oci/image.ts';
import { tarEntry } from '#lib/tar/types.ts';
import { encodeTar } from '#lib/tar/write.ts';

/** Answers a request and says so; what it leaves alone is answered honestly. */
export type Lie = (request: IncomingMessage, response: ServerResponse, path: string) => boolean | void;

export interface Described {
  mediaType: string;
  digest: `sha256:${string}`;
  size: number;
}

export class LyingRegistry {
  lie: Lie = () => false;
  readonly #server: Server;
  readonly #served = new Map<string, { type: string; data: Buffer }>();

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(): Promise<LyingRegistry> {
    const registry = new LyingRegistry();
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    if (this.lie(request, response, path)) return;
    const found = this.#served.get(path);
    if (found) response.writeHead(200, { 'content-type': found.type, 'content-length': found.data.length }).end(found.data);
    else response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
  }

  /** Serves a blob, or with `target` a manifest by that name; both by digest too. */
  serve(type: string, value: unknown, target?: string): Described {
    const data = Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
    const digest = `sha256:${createHash('sha256').update(data).digest('hex')}` as const;
    const kind = target === undefined ? 'blobs' : 'manifests';
    for (const name of [digest, ...(target === undefined ? [] : [target])]) this.#served.set(`/v2/image/${kind}/${name}`, { type, data });
    return { mediaType: type, digest, size: data.length };
  }

  /** An image of layers, each of one file, as `image:<tag>`; `change` may tell lies in its documents. */
  async image(tag: string, change: { layers?: number; config?: (config: Record<string, unknown>) => unknown; manifest?: (manifest: Manifest) => unknown } = {}): Promise<{ layers: Described[]; config: Described; manifest: Described }> {
    const layers: Described[] = [];
    const diffIds: string[] = [];
    for (let i = 0; i < (change.layers ?? 1); i++) {
      const body = Buffer.alloc(200_000, `${tag} ${i} ${'\x01\x7f'.repeat(i + 1)}`);
      const parts: Buffer[] = [];
      for await (const part of encodeTar([{ entry: tarEntry(`file${i}`, 'file', { size: body.length }), body }])) parts.push(Buffer.from(part));
      const tar = Buffer.concat(parts);
      diffIds.push(`sha256:${createHash('sha256').update(tar).digest('hex')}`);
      layers.push(this.serve(mediaTypes.ociLayerGzip, gzipSync(tar, { level: 0 })));
    }
    const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } };
    const described = this.serve(mediaTypes.ociConfig, change.config?.(config) ?? config);
    const manifest: Manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: described, layers };
    return { layers, config: described, manifest: this.serve(mediaTypes.ociManifest, change.manifest?.(manifest) ?? manifest, tag) };
  }

  async end(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export interface Manifest {
  schemaVersion: number;
  mediaType: string;
  config: Described;
  layers: Described[];
}

/** Writes for as long as the client reads; tells how much it took. */
export function endless(response: ServerResponse, taken: (bytes: number) => void = () => {}): true {
  const chunk = Buffer.alloc(64 * 1024, 0x20);
  const more = (): void => {
    if (response.destroyed) return;
    taken(chunk.length);
    if (response.write(chunk)) setImmediate(more);
    else response.once('drain', more);
  };
  more();
  return true;
}
