/** For tests of the kubelet: an API server in memory, and a node on the real kernel with images that are busybox. */
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import 'reflect-metadata'; // the X.509 library asks for it
import { BasicConstraintsExtension, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { webcrypto, KeyObject } from 'node:crypto';
import { applyMergePatch } from '#api/kube/merge-patch.ts';
import { messageOfKind } from '#api/kube/schema.ts';
import { applyStrategicMergePatch } from '#api/kube/strategic-merge.ts';
import type { KubeObject, Pod } from '#api/kube/types.ts';
import { parseApiVersion } from '#api/kube/types.ts';
import type { KubeClient, ResourceRef, WatchEvent } from '#client/kube/types.ts';
import { openTestBed } from '#core/containers/testing.ts';
import type { TestBed } from '#core/containers/testing.ts';
import type { Image, Images } from '#core/images/types.ts';
import { createLogs } from '#core/logs/read.ts';
import { openNetworks } from '#core/networks/open.ts';
import { openSandboxes } from '#core/sandboxes/open.ts';
import type { Sandboxes } from '#core/sandboxes/types.ts';
import type { ActiveInfo, Snapshots } from '#core/snapshots/types.ts';
import { isoSeconds, systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { createLogger } from '#lib/log.ts';
import { hex, systemRandom } from '#lib/random.ts';
import { makeBusyboxRoot } from '#core/containers/testing.ts';
import { startKubelet } from './start.ts';
import type { Kubelet, KubeletOptions, NodeCore } from './types.ts';

/** Objects in memory, with as much of the API server's behaviour as a kubelet meets. */
export class FakeApi {
  readonly objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<(ref: ResourceRef, event: WatchEvent<KubeObject>) => void>();
  #revision = 100;
  /** Each state of a pod, in order. */
  readonly pods: Pod[] = [];
  /** Writes fail as if nobody answered. */
  away = false;

  readonly client: KubeClient = {
    get: async <T>(ref: ResourceRef, name: string, namespace?: string) => this.#must(ref, name, namespace) as T,
    list: async <T>(ref: ResourceRef, options: { namespace?: string; fieldSelector?: string } = {}) => ({
      items: [...this.objects].filter(([key, object]) => key.startsWith(`${ref.resource}/`) && matches(object, options)).map(([, object]) => object as T),
      metadata: { resourceVersion: String(this.#revision) },
    }),
    watch: <T>(ref: ResourceRef, options: { fieldSelector?: string; signal: AbortSignal }) => this.#watch(ref, options) as AsyncIterable<WatchEvent<T>>,
    create: async <T>(ref: ResourceRef, object: T) => this.put(ref, object as KubeObject, true) as T,
    update: async <T>(ref: ResourceRef, object: T) => this.put(ref, object as KubeObject) as T,
    patch: async <T>(ref: ResourceRef, name: string, patch: Parameters<KubeClient['patch']>[2], options: { namespace?: string } = {}) => {
      if (this.away) throw new Fault('unavailable', 'the API server is away');
      const before = this.#must(ref, name, options.namespace);
      const { uid } = (patch.body as { metadata?: { uid?: string } }).metadata ?? {};
      if (uid !== undefined && uid !== before.metadata.uid) throw new Fault('conflict', 'the uid differs');
      const message = messageOfKind({ ...parseApiVersion(before.apiVersion), kind: before.kind });
      const after = patch.type === 'strategic' ? applyStrategicMergePatch(structuredClone(before), patch.body, message!) : applyMergePatch(structuredClone(before), patch.body);
      return this.put(ref, after as KubeObject) as T;
    },
    delete: async (ref, name, options = {}) => this.delete(ref, name, options.namespace, options.gracePeriodSeconds),
    request: async <T>(method: string, path: string) => {
      if (!path.endsWith('/token')) throw new Fault('not-found', `${method} ${path}`);
      return { status: { token: `token-${this.#revision++}`, expirationTimestamp: isoSeconds(Date.now() + 3_600_000) } } as T;
    },
    stream: () => Promise.reject(new Fault('not-implemented', 'stream')),
  };

  put(ref: ResourceRef, object: KubeObject, isNew = false): KubeObject {
    const key = keyOf(ref, object.metadata.name!, object.metadata.namespace);
    if (isNew && this.objects.has(key)) throw new Fault('already-exists', key);
    const known = this.objects.get(key);
    const metadata = { uid: `uid-${this.#revision}`, creationTimestamp: isoSeconds(Date.now()), ...object.metadata, resourceVersion: String(++this.#revision) };
    const stored = Object.freeze({ ...object, metadata });
    this.objects.set(key, stored);
    if (ref.resource === 'pods') this.pods.push(stored as unknown as Pod);
    for (const watcher of this.#watchers) watcher(ref, { type: known ? 'MODIFIED' : 'ADDED', object: stored });
    return stored;
  }

  /** With grace a pod is only marked. */
  delete(ref: ResourceRef, name: string, namespace?: string, graceSeconds?: number): void {
    const object = this.#must(ref, name, namespace);
    const spec = object['spec'] as { nodeName?: string; terminationGracePeriodSeconds?: number } | undefined;
    const grace = graceSeconds ?? spec?.terminationGracePeriodSeconds ?? 30;
    if (ref.resource === 'pods' && grace > 0 && spec?.nodeName) {
      this.put(ref, { ...object, metadata: { ...object.metadata, deletionTimestamp: isoSeconds(Date.now()), deletionGracePeriodSeconds: grace } });
      return;
    }
    this.objects.delete(keyOf(ref, name, namespace));
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#revision) } };
    for (const watcher of this.#watchers) watcher(ref, { type: 'DELETED', object: last });
  }

  #must(ref: ResourceRef, name: string, namespace?: string): KubeObject {
    const object = this.objects.get(keyOf(ref, name, namespace));
    if (!object) throw new Fault('not-found', `${ref.resource} "${name}" not found`);
    return object;
  }

  async *#watch(ref: ResourceRef, options: { fieldSelector?: string; signal: AbortSignal }): AsyncGenerator<WatchEvent<KubeObject>> {
    const queue: WatchEvent<KubeObject>[] = [];
    let wake = (): void => {};
    const watcher = (of: ResourceRef, event: WatchEvent<KubeObject>): void => {
      if (of.resource !== ref.resource || !matches(event.object, options)) return;
      queue.push(event);
      wake();
    };
    this.#watchers.add(watcher);
    options.signal.addEventListener('abort', () => wake());
    try {
      while (!options.signal.aborted) {
        const event = queue.shift();
        if (event) yield event;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}

function keyOf(ref: ResourceRef, name: string, namespace = ''): string {
  return `${ref.resource}/${namespace}/${name}`;
}

function matches(object: KubeObject, options: { namespace?: string; fieldSelector?: string }): boolean {
  if (options.namespace !== undefined && object.metadata.namespace !== options.namespace) return false;
  const [path, value] = (options.fieldSelector ?? '').split('=');
  if (!path) return true;
  let at: unknown = object;
  for (const part of path.split('.')) at = (at as Record<string, unknown> | undefined)?.[part];
  return at === value;
}

export interface TestCertificates {
  /** Self-signed, its own authority, for server and client alike, in the API server's name. */
  cert: string;
  key: string;
  /** Of the same authority, in somebody else's name. */
  stranger: { cert: string; key: string };
  /** Of the same authority, another node's. */
  node: { cert: string; key: string };
}

export async function testCertificates(): Promise<TestCertificates> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const generate = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const keys = await generate();
  const common = { signingAlgorithm: algorithm, notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
  const name = 'CN=kube-apiserver-kubelet-client';
  const own = await X509CertificateGenerator.createSelfSigned({ ...common, name, keys, extensions: [new BasicConstraintsExtension(true), new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])] });
  const pem = ({ privateKey }: webcrypto.CryptoKeyPair): string => KeyObject.from(privateKey).export({ format: 'pem', type: 'pkcs8' }).toString();
  const issue = async (subject: string): Promise<{ cert: string; key: string }> => {
    const others = await generate();
    const issued = await X509CertificateGenerator.create({ ...common, subject, issuer: name, publicKey: others.publicKey, signingKey: keys.privateKey });
    return { cert: issued.toString('pem'), key: pem(others) };
  };
  return { cert: own.toString('pem'), key: pem(keys), stranger: await issue('CN=ann, O=dev'), node: await issue('CN=system:node:node-2, O=system:nodes') };
}

/** An image with nothing in it but defaults of a container. */
export function imageOf(name: string): Image {
  const digest = `sha256:${'b'.repeat(64)}` as const;
  return {
    id: digest,
    manifest: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 1 },
    names: [name],
    digests: [],
    config: { architecture: 'amd64', os: 'linux', config: { Cmd: ['sh'], Env: ['PATH=/bin', 'FROM_IMAGE=yes'] }, rootfs: { type: 'layers', diff_ids: [] } },
    layers: [],
    chain: digest,
    size: 1,
    taggedAt: 0,
    namedAt: {},
  };
}

/** `busybox:*` is there, any other image is not; none can be pulled. */
function busyboxImages(): Images {
  const partial: Partial<Images> = {
    get: (name) => (name.startsWith('busybox') ? imageOf(name) : undefined),
    offers: () => Promise.resolve([]),
    pull: (name) => Promise.reject(new Fault('not-found', `no registry has ${name}`)),
  };
  return partial as Images;
}

/** Root file systems of busybox, one a snapshot. */
function busyboxSnapshots(directory: string): Snapshots {
  const active = new Map<string, ActiveInfo>();
  const partial: Partial<Snapshots> = {
    create: (key, parent, { labels = {} } = {}) => {
      makeBusyboxRoot(join(directory, key));
      active.set(key, { key, parent, labels });
      return Promise.resolve();
    },
    mount: (key) => Promise.resolve(join(directory, key)),
    remove: (key) => {
      active.delete(key);
      return Promise.resolve(rmSync(join(directory, key), { recursive: true, force: true }));
    },
    active: () => [...active.values()],
  };
  return partial as Snapshots;
}

export interface NodeBed {
  api: FakeApi;
  bed: TestBed;
  core: NodeCore;
  sandboxes: Sandboxes;
  kubelet: Kubelet;
  tls: TestCertificates;
  logged: string[];
  /** Creates a pod on the node. */
  run(name: string, spec: Partial<Pod['spec']>, metadata?: Partial<Pod['metadata']>): void;
  pod(name: string): Pod | undefined;
  /** Waits until `holds` is true of the pod (undefined: it is gone). */
  until(name: string, what: string, holds: (pod: Pod | undefined) => boolean): Promise<Pod>;
  events(name: string): string[];
  /** Stops the kubelet and the containers room, and starts both anew, as after a kill -9. */
  restart(): Promise<void>;
  end(): Promise<void>;
}

const waitLimitMs = 15_000;

export async function openNodeBed(): Promise<NodeBed> {
  const bed = await openTestBed();
  const tls = await testCertificates();
  const api = new FakeApi();
  const logged: string[] = [];
  const log = createLogger({ write: (line) => logged.push(line), level: 'debug' });
  const instance = basename(bed.directory);
  const networkInstance = hex(systemRandom, 3);
  const networks = await openNetworks({ kernel: bed.kernel, records: bed.records, instance: networkInstance, clock: systemClock, random: systemRandom, log });
  const openSandbox = () => openSandboxes({ root: join(bed.directory, 'sandboxes'), kernel: bed.kernel, records: bed.records, clock: systemClock, log });
  const snapshots = busyboxSnapshots(join(bed.directory, 'snapshots'));
  const coreOf = async (): Promise<NodeCore> => ({ kernel: bed.kernel, containers: bed.containers, sandboxes: await openSandbox(), images: busyboxImages(), snapshots, networks, logs: createLogs() });
  const options = (core: NodeCore): KubeletOptions => ({
    client: api.client, core, clock: systemClock, random: systemRandom, log, nodeName: 'node-1', address: '127.0.0.1', root: join(bed.directory, 'kubelet'),
    version: '0.0.0', podNetwork: { name: 'pods' }, instance, clusterDns: ['10.96.0.10'], clusterDomain: 'cluster.local', refreshMs: 200, statusMs: 500,
    server: { cert: tls.cert, key: tls.key, clientCa: tls.cert, host: '127.0.0.1' },
  });
  const podsRef = { group: '', version: 'v1', resource: 'pods' };
  const core = await coreOf();
  const closeNetworks = async (): Promise<void> => {
    for (const network of networks.list()) if (network.name === 'pods') await networks.remove(network.id);
    await networks.close();
    await core.sandboxes.close();
    for (const table of bed.kernel.nft.tables()) if (table.endsWith(`gantry_${networkInstance}`)) bed.kernel.nft.run(`delete table ${table}`);
    removeLinks(bed.kernel, `gb${networkInstance}`);
    await bed.end();
  };
  const begin = (): Promise<Kubelet> =>
    startKubelet(options(core)).catch(async (error: unknown) => {
      await closeNetworks();
      throw error;
    });
  const node: NodeBed = {
    api, bed, core, sandboxes: core.sandboxes, tls, logged,
    kubelet: await begin(),
    run(name, spec, metadata = {}) {
      const containers = spec.containers ?? [{ name: 'main', image: 'busybox:1', command: ['sleep', '1000'] }];
      api.put(podsRef, { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', ...metadata }, spec: { nodeName: 'node-1', terminationGracePeriodSeconds: 1, ...spec, containers } }, true);
    },
    pod: (name) => api.objects.get(`pods/default/${name}`) as Pod | undefined,
    async until(name, what, holds) {
      for (const began = Date.now(); Date.now() - began < waitLimitMs; await sleep(10)) {
        const pod = node.pod(name);
        if (holds(pod)) return pod as Pod;
      }
      throw new Error(`pod ${name} is not ${what}: ${JSON.stringify(node.pod(name)?.status, null, 1)}\n${node.events(name).join('\n')}\n${logged.slice(-20).join('')}`);
    },
    events: (name) => [...api.objects.values()].filter((object) => object.kind === 'Event' && (object['involvedObject'] as { name: string }).name === name).map((event) => `${String(event['reason'])}: ${String(event['message'])}`),
    async restart() {
      await node.kubelet.stop();
      await bed.reopen();
      node.core = await coreOf();
      node.sandboxes = node.core.sandboxes;
      node.kubelet = await startKubelet(options(node.core));
    },
    async end() {
      for (const [key, object] of api.objects) if (key.startsWith('pods/')) api.delete(podsRef, object.metadata.name!, object.metadata.namespace, 0);
      for (const began = Date.now(); node.sandboxes.list().length > 0 && Date.now() - began < waitLimitMs; ) await sleep(20);
      await node.kubelet.stop();
      await closeNetworks();
    },
  };
  return node;
}

/** The default bridge, which is made with the networks. */
function removeLinks(kernel: NodeCore['kernel'], name: string): void {
  const netlink = kernel.netlinks.open();
  try {
    netlink.deleteLink(name);
  } finally {
    netlink.close();
  }
}
