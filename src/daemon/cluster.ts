import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatKubeconfig } from '#client/kube/kubeconfig.ts';
import { createApiServer, type ApiServer } from '#cluster/apiserver/server.ts';
import { openEmbeddedStore } from '#core/store/embedded/store.ts';
import { codeOf, Fault, isFault } from '#lib/errors.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import type { DaemonConfig } from './config.ts';
import { connectionsOfDoor } from './open-files.ts';
import { withKeptPort } from './ports.ts';
import type { Surroundings } from './runtime.ts';

export interface Cluster {
  api: ApiServer;
  url: string;
  kubeconfig: string;
  port: number;
  close(): Promise<void>;
}

/** The port that API servers usually have; the next free one where it is taken. */
const firstPort = 6443;
const portTries = 100;

/** The API server on its store, listening on loopback and on the pods' gateway. */
export async function openCluster(around: Surroundings, network: ClusterNetwork, gateway: string, config: DaemonConfig): Promise<Cluster> {
  const { clock, random, log } = around;
  const root = join(around.root, 'cluster');
  const store = await openEmbeddedStore({ directory: join(root, 'store'), durability: 'disk', holds: 'the objects of the cluster', clock, log, files: around.kernel.files });
  const api = await createApiServer({
    store,
    clock,
    random,
    log,
    pkiDirectory: join(root, 'pki'),
    serviceCidr: network.serviceCidr,
    advertise: { host: gateway, port: 0 },
    connections: connectionsOfDoor(),
    tolerations: config.tolerations,
  });
  const listenAt = async (wanted: number): Promise<{ port: number }> => ({ port: await listen(api, ['127.0.0.1', gateway], wanted) });
  const { port } = config.apiPort ? await listenAt(config.apiPort) : await withKeptPort(around.root, 'api', listenAt);
  const url = `https://127.0.0.1:${port}`;
  const kubeconfig = await writeAdmin(api, url, join(root, 'admin.kubeconfig'));
  return {
    api,
    url,
    port,
    kubeconfig,
    async close() {
      await api.close();
      await store.close();
    },
  };
}

async function listen(api: ApiServer, hosts: readonly string[], wanted: number): Promise<number> {
  for (let i = 0; ; i++) {
    const port = wanted || firstPort + i;
    try {
      await api.listen(hosts.map((host) => ({ host, port })));
      return port;
    } catch (error) {
      const taken = isFault(error) && codeOf(error.cause) === 'EADDRINUSE';
      if (!taken || wanted || i === portTries) {
        throw taken ? new Fault('conflict', `--api-port ${port}: another process has it: choose another port`, { cause: error }) : error;
      }
    }
  }
}

/** The administrator's certificate for kubectl, made anew at each start. */
async function writeAdmin(api: ApiServer, server: string, path: string): Promise<string> {
  const admin = await api.authority.issueClient({ commonName: 'kubernetes-admin', organizations: ['system:masters'] });
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o711 });
  writeFileSync(`${path}.new`, formatKubeconfig({ server, ca: api.authority.certificate, ...admin }), { mode: 0o600 });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
  return path;
}
