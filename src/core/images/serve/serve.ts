/**
 * The read side of the distribution API (OCI distribution-spec 1.1) over a store of images: what a peer is asked. It has no
 * listener, and whoever mounts it says who may ask.
 *
 * - `GET /v2/`: 200.
 * - `GET|HEAD /v2/<name>/manifests/<tag or digest>`, `GET|HEAD /v2/<name>/blobs/<digest>` (the latter with `Range`).
 * - `?ns=<host>` tells of which registry's repository `<name>` is, as containerd asks its mirrors; `docker.io` without it.
 *
 * Failures have the specification's codes; a question over `serveLimits` gets 429.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { asFault, Fault } from '#lib/errors.ts';
import type { FaultKind } from '#lib/errors.ts';
import { isDigest } from '#core/content/types.ts';
import type { Descriptor, Digest } from '#core/content/types.ts';
import { offerHeaders } from '../peers/types.ts';
import { isFromRegistry, parseReference, repositoryOf, taggedName } from '../reference.ts';
import type { Reference } from '../reference.ts';
import type { Image, Images } from '../types.ts';
import { parseRange } from './range.ts';

export const serveLimits = {
  /** Blobs under way at the same time. */
  transfers: 64,
  /** Milliseconds without a byte taken, after which a reader is dropped. */
  stalledMs: 30_000,
} as const;

export interface ImageServer {
  /** Whether a request's target is one of its own. */
  has(target: string): boolean;
  /** Answers it; never rejects. */
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

type Route = (reference: Reference, request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** `check` throws `forbidden` where it knows the client as one who may not read. */
export function createImageServer(images: Images, check: (request: IncomingMessage) => void): ImageServer {
  let transfers = 0;
  const manifests: Route = (reference, request, response) => serveManifest(images, reference, request, response);
  const blobs: Route = async (reference, request, response) => {
    if (transfers >= serveLimits.transfers) throw new Fault('exhausted', `over ${serveLimits.transfers} blobs are under way; ask again later`);
    transfers++;
    try {
      await serveBlob(images, reference, request, response);
    } finally {
      transfers--;
    }
  };
  return {
    has: (target) => /^\/v2(?:[/?]|$)/.test(target),
    async answer(request, response) {
      try {
        response.setHeader('docker-distribution-api-version', 'registry/2.0');
        check(request);
        if (request.method !== 'GET' && request.method !== 'HEAD') throw new Fault('not-implemented', 'this store can only be read');
        const asked = parsePath(request.url ?? '');
        if (!asked) response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
        else await (asked.kind === 'manifests' ? manifests : blobs)(asked.reference, request, response);
      } catch (error) {
        sendError(response, asFault(error));
      }
    },
  };
}

/** What is asked for; undefined for the API's root. */
function parsePath(target: string): { kind: 'manifests' | 'blobs'; reference: Reference } | undefined {
  const url = URL.canParse(target, 'http://store') ? new URL(target, 'http://store') : undefined;
  if (!url) throw new Fault('invalid', 'the path is malformed');
  if (/^\/v2\/?$/.test(url.pathname)) return undefined;
  const [, path, kind, item] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
  if (path === undefined || item === undefined) throw new Fault('not-found', `${url.pathname.slice(0, 300)} is no path of the distribution API`, { details: { code: 'NAME_UNKNOWN' } });
  const name = `${url.searchParams.get('ns') ?? 'docker.io'}/${path}`;
  const text = item.replaceAll(/%3a/gi, ':');
  const reference = parseReference(isDigest(text) ? `${name}@${text}` : `${name}:${text}`);
  if (kind === 'blobs' && reference.digest === undefined) throw new Fault('invalid', `${text.slice(0, 150)} is no digest`, { details: { code: 'DIGEST_INVALID' } });
  return { kind: kind as 'manifests' | 'blobs', reference };
}

async function serveManifest(images: Images, reference: Reference, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { document, image } = reference.digest === undefined ? byTag(images, reference) : byDigest(images, reference.digest);
  const data = await images.content.read(document.digest);
  const name = taggedName(reference);
  const ofName = reference.digest === undefined ? { [offerHeaders.namedAt]: String(image.namedAt[name] ?? image.taggedAt) } : {};
  response.writeHead(200, {
    'content-type': document.mediaType,
    'content-length': data.length,
    'docker-content-digest': document.digest,
    [offerHeaders.origin]: isFromRegistry(image, reference) ? 'registry' : 'built',
    ...ofName,
  });
  response.end(request.method === 'HEAD' ? undefined : data);
}

/** What a tag means: the index that a registry has under it, where the image came by one; its manifest else. */
function byTag(images: Images, reference: Reference): { document: Descriptor; image: Image } {
  const image = images.get(taggedName(reference));
  if (!image) throw unknownManifest(taggedName(reference));
  const [index] = image.indexes ?? [];
  const isOfIndex = index && image.digests.includes(`${repositoryOf(reference)}@${index.digest}`);
  return { document: isOfIndex ? index : image.manifest, image };
}

function byDigest(images: Images, digest: Digest): { document: Descriptor; image: Image } {
  for (const image of images.list()) {
    const document = [image.manifest, ...(image.indexes ?? [])].find((one) => one.digest === digest);
    if (document) return { document, image };
  }
  throw unknownManifest(digest);
}

async function serveBlob({ content }: Images, reference: Reference, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const digest = reference.digest!;
  const found = await content.stat(digest);
  if (!found) throw new Fault('not-found', `blob ${digest} is not here`, { details: { code: 'BLOB_UNKNOWN' } });
  const range = parseRange(request.headers.range, found.size);
  const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest, 'accept-ranges': 'bytes' };
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${found.size}`, 'content-length': 0 }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: found.size };
  const ofRange = range ? { 'content-range': `bytes ${start}-${end - 1}/${found.size}` } : {};
  if (request.method === 'HEAD') {
    response.writeHead(range ? 206 : 200, { ...headers, ...ofRange, 'content-length': end - start }).end();
    return;
  }
  const body = await content.open(digest, { start, end });
  response.writeHead(range ? 206 : 200, { ...headers, ...ofRange, 'content-length': end - start });
  response.setTimeout(serveLimits.stalledMs, () => response.destroy());
  await pipeline(body, response);
}

function unknownManifest(name: string): Fault {
  return new Fault('not-found', `${name} is not here`, { details: { code: 'MANIFEST_UNKNOWN' } });
}

const statuses: Partial<Record<FaultKind, [number, string]>> = {
  invalid: [400, 'NAME_INVALID'],
  forbidden: [403, 'DENIED'],
  'not-found': [404, 'NAME_UNKNOWN'],
  exhausted: [429, 'TOOMANYREQUESTS'],
  'not-implemented': [405, 'UNSUPPORTED'],
};

function sendError(response: ServerResponse, fault: Fault): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const [status, code] = statuses[fault.kind] ?? [500, 'UNKNOWN'];
  const body = JSON.stringify({ errors: [{ code: fault.details.code ?? code, message: fault.message }] });
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
}
