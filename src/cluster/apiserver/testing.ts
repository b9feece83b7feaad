/** A whole API server for tests: memory store, its own authority, a free port. */
import { request as httpsRequest } from 'node:https';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { HttpKubeClient } from '#client/kube/http.ts';
import { httpKubeClient } from '#client/kube/http.ts';
import type { KubeAccess } from '#client/kube/kubeconfig.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import type { Store } from '#core/store/types.ts';
import type { Clock } from '#lib/clock.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import type { ApiServer } from './server.ts';
import { createApiServer } from './server.ts';

export interface TestServer {
  api: ApiServer;
  store: Store;
  url: string;
  /** Of `system:masters`. */
  admin: HttpKubeClient;
  access: (name: string, groups?: readonly string[]) => Promise<KubeAccess>;
  client: (name: string, groups?: readonly string[]) => Promise<HttpKubeClient>;
  raw: (request: RawRequest) => Promise<RawAnswer>;
}

export interface RawRequest {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** As whom; the administrator where it is not given, nobody for null. */
  as?: KubeAccess | null;
}

export interface RawAnswer {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  bytes: Buffer;
  json(): RawObject;
}

export interface RawObject {
  kind: string;
  metadata: Record<string, string>;
  message: string;
  reason: string;
  [field: string]: unknown;
}

export interface TestServerOptions {
  clock?: Clock;
  store?: Store;
  pkiDirectory?: string;
}

export async function startTestServer(t: TestContext, options: TestServerOptions = {}): Promise<TestServer> {
  const directory = options.pkiDirectory ?? (await mkdtemp(join(tmpdir(), 'gantry-api-')));
  const store = options.store ?? createMemoryStore({ clock: options.clock });
  const api = await createApiServer({
    store,
    clock: options.clock ?? systemClock,
    random: systemRandom,
    log: silentLogger,
    pkiDirectory: directory,
    serviceCidr: '10.96.0.0/16',
    advertise: { host: '192.0.2.10', port: 0 },
  });
  const [address] = await api.listen([{ host: '127.0.0.1', port: 0 }]);
  const url = `https://127.0.0.1:${address?.port}`;
  const access = async (name: string, groups: readonly string[] = []): Promise<KubeAccess> => ({
    server: url,
    ca: api.authority.certificate,
    ...(await api.authority.issueClient({ commonName: name, organizations: groups })),
  });
  const adminAccess = await access('admin', ['system:masters']);
  const clients: HttpKubeClient[] = [];
  const connect = (to: KubeAccess): HttpKubeClient => {
    const made = httpKubeClient(to);
    clients.push(made);
    return made;
  };
  t.after(async () => {
    for (const client of clients) client.close();
    await api.close();
    await store.close();
    if (options.pkiDirectory === undefined) await rm(directory, { recursive: true });
  });
  return {
    api, store, url, access,
    admin: connect(adminAccess),
    client: async (name, groups) => connect(await access(name, groups)),
    raw: (request) => send(url, request.as === null ? { server: url, ca: api.authority.certificate } : (request.as ?? adminAccess), request),
  };
}

function send(url: string, { ca, certificate: cert, key, token }: KubeAccess, request: RawRequest): Promise<RawAnswer> {
  const headers = { ...request.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(new URL(request.path, url), { method: request.method ?? 'GET', headers, ca, cert, key, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ code: answer.statusCode ?? 0, headers: answer.headers, bytes, json: () => JSON.parse(bytes.toString()) as RawObject });
      });
    });
    sent.on('error', reject);
    sent.end(request.body);
  });
}

export function configMap(name: string, data: Record<string, string> = {}, metadata: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', ...metadata }, data };
}

export function pod(name: string, spec: object = {}, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'main', image: 'busybox' }], ...spec },
  };
}
