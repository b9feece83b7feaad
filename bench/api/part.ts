/** The API server with many pods in its store, beside kube-apiserver with etcd. Nobody works on the pods. */
import { readKubeconfig } from '#client/kube/kubeconfig.ts';
import { httpKubeClient } from '#client/kube/http.ts';
import { namespaces } from '#client/kube/resources.ts';
import { join } from 'node:path';
import { startGantry } from '../gantry.ts';
import { command, interleave, now, parallel, summarize } from '../measure.ts';
import { residentMiB } from '../memory.ts';
import type { Bench, Part } from '../types.ts';
import { buildKubeApiserver, isBuilt, startKubeApiserver, type ClientIdentity } from './kube-apiserver.ts';
import { Connection } from './load.ts';
import type { ApiPeer } from './server.ts';

const storedPods = 10_000;
const clients = 128;
const spaces = Array.from({ length: 10 }, (_, i) => `bench-${i}`);
/** What kubectl asks for, and how many rows at a time. */
const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const pageRows = 500;

export const api: Part = { name: 'api', about: `${storedPods} pods: ${clients} clients creating them, lists, kubectl get pods -A; against kube-apiserver`, alone: true, run };
export const buildApiPeer: Part = { name: 'build-kube-apiserver', about: 'builds the peer of `api` into the cache (long; needs Go)', alone: true, run: buildKubeApiserver };

async function run(bench: Bench): Promise<void> {
  const peers: ApiPeer[] = [];
  try {
    const gantry = await gantryApi();
    peers.push(gantry);
    const authority = { authority: gantry.access.ca!, certificate: gantry.access.certificate!, key: gantry.access.key! };
    const peer = await kubeApiserver(bench, authority);
    if (peer) peers.unshift(peer);
    for (const one of peers) await makeNamespaces(one);
    await create(bench, peers);
    await lists(bench, peers);
    bench.report({ subject: `memory with ${storedPods} pods`, unit: 'MiB', values: Object.fromEntries(peers.map((one) => [one.name, summarize([residentMiB(one.pids())])])) });
  } finally {
    for (const one of peers) await one.end();
  }
}

async function gantryApi(): Promise<ApiPeer> {
  const peer = await startGantry();
  const kubeconfig = join(peer.root, 'cluster', 'admin.kubeconfig');
  return { ...peer, access: { ...(await readKubeconfig(kubeconfig)), userAgent: 'bench' }, kubeconfig };
}

async function kubeApiserver(bench: Bench, identity: ClientIdentity): Promise<ApiPeer | undefined> {
  if (isBuilt()) return startKubeApiserver(identity);
  bench.say('kube-apiserver is left out: `npm run bench -- build-kube-apiserver` makes it');
  return undefined;
}

async function makeNamespaces(peer: ApiPeer): Promise<void> {
  const client = httpKubeClient(peer.access);
  for (const name of spaces) await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  client.close();
}

const podBody = Buffer.from(
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'web-', labels: { app: 'web', tier: 'front' }, annotations: { 'example.com/revision': '7' } },
    spec: {
      // nobody's, so that it stays as it is
      schedulerName: 'nobody',
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image: 'registry.example.com/web:1.2.3', env: [{ name: 'PORT', value: '8080' }], ports: [{ containerPort: 8080 }], resources: { requests: { cpu: '10m', memory: '16Mi' } } }],
    },
  }),
);

/** In turns, until each has all its pods; rates of the turns, and the times of all requests. */
async function create(bench: Bench, peers: readonly ApiPeer[]): Promise<void> {
  const each = Math.ceil(storedPods / bench.plan.iterations);
  const times = new Map(peers.map(({ name }) => [name, [] as number[]]));
  const connections = new Map<string, Connection[]>();
  for (const { name, access } of peers) connections.set(name, await Promise.all(Array.from({ length: clients }, () => Connection.open(access))));
  const turns = peers.map(({ name }) => ({
    name,
    once: async () => {
      const idle = [...connections.get(name)!];
      const began = now();
      await parallel(each, clients, async (i) => {
        const connection = idle.pop()!;
        const sent = now();
        const { status, head } = await connection.send('POST', `/api/v1/namespaces/${spaces[i % spaces.length]}/pods`, { body: podBody });
        if (status !== 201) throw new Error(`${name} does not create a pod: ${status} ${head}`);
        times.get(name)!.push(now() - sent);
        idle.push(connection);
      });
      return each / ((now() - began) / 1000);
    },
  }));
  bench.report({ subject: `${clients} clients creating`, unit: 'requests/s', values: await interleave(turns, { ...bench.plan, warmUp: 0 }, bench.signal) });
  bench.report({ subject: 'one of their requests', unit: 'ms', values: Object.fromEntries([...times].map(([name, list]) => [name, { ...summarize(list), samples: [] }])) });
  for (const connection of [...connections.values()].flat()) connection.close();
}

async function lists(bench: Bench, peers: readonly ApiPeer[]): Promise<void> {
  const connections = new Map<string, Connection>();
  for (const { name, access } of peers) connections.set(name, await Connection.open(access));
  const compare = async (subject: string, once: (peer: ApiPeer, connection: Connection) => Promise<number>): Promise<void> => {
    const turns = peers.map((peer) => ({ name: peer.name, once: () => once(peer, connections.get(peer.name)!) }));
    bench.report({ subject, unit: 'ms', values: await interleave(turns, { ...bench.plan, warmUp: 1 }, bench.signal) });
  };
  await compare('full list in JSON', async (_, connection) => timeOf(connection, '/api/v1/pods', 'application/json'));
  await compare('the requests of get -A', (_, connection) => pages(connection));
  await compare('kubectl get pods -A', async ({ kubeconfig }) => (await command('kubectl', ['get', 'pods', '-A'], { env: { ...process.env, KUBECONFIG: kubeconfig } })).ms);
  for (const connection of connections.values()) connection.close();
}

async function timeOf(connection: Connection, path: string, accept: string): Promise<number> {
  const began = now();
  const { status, head } = await connection.send('GET', path, { accept });
  if (status !== 200) throw new Error(`${path}: ${status} ${head}`);
  return now() - began;
}

/** Tables by pages, as kubectl asks for them; the time that they take together. */
async function pages(connection: Connection): Promise<number> {
  const began = now();
  let next = '';
  do {
    const { status, head } = await connection.send('GET', `/api/v1/pods?limit=${pageRows}${next}`, { accept: tableType });
    if (status !== 200) throw new Error(`a page of pods: ${status} ${head}`);
    const token = /"continue":"([^"]+)"/.exec(head)?.[1];
    next = token === undefined ? '' : `&continue=${encodeURIComponent(token)}`;
  } while (next !== '');
  return now() - began;
}
