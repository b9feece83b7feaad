import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { httpKubeClient } from '#client/kube/http.ts';
import { clusterPeers } from '#cluster/kubelet/images/peers.ts';
import { listenForNodes } from '#cluster/kubelet/images/serve.ts';
import type { Peers } from '#core/images/peers/types.ts';
import { codeOf } from '#lib/errors.ts';
import type { Cluster } from '../cluster.ts';
import { addressIn, type ClusterNetwork } from '../cluster-network.ts';
import type { Runtime, Surroundings } from '../runtime.ts';
import type { JoinFile } from './types.ts';

export interface ImageStore {
  /** As agents reach it. */
  url: string;
  close(): Promise<void>;
}

/** Serves the engine's images to agents, at the same port after each start of the daemon, where nobody else took it. */
export async function openImageStore({ around, runtime, cluster, network }: { around: Surroundings; runtime: Runtime; cluster: Cluster; network: ClusterNetwork }): Promise<ImageStore> {
  const host = addressIn(network.clusterCidr, 1);
  const file = join(around.root, 'cluster', 'image-store.json');
  const { authority } = cluster.api;
  const serving = await authority.issueServer({ commonName: 'gantry-image-store', dnsNames: [], ipAddresses: [host] });
  const listen = (port: number) => listenForNodes({ images: runtime.images, tls: { cert: serving.certificate, key: serving.key, clientCa: authority.certificate }, host, port });
  const listener = await listen(formerPort(file)).catch((error: unknown) => {
    if (codeOf(error) === 'EADDRINUSE') return listen(0);
    throw error;
  });
  mkdirSync(dirname(file), { recursive: true, mode: 0o711 });
  writeFileSync(`${file}.new`, JSON.stringify({ port: listener.port }));
  renameSync(`${file}.new`, file);
  return { url: `https://${host}:${listener.port}`, close: () => listener.close() };
}

function formerPort(file: string): number {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { port: number }).port;
  } catch {
    return 0;
  }
}

/** Whom an agent asks for images: the engine, and the other nodes. */
export function agentPeers(around: Surroundings, { name, access, imageStore }: JoinFile, signal: AbortSignal): Peers {
  const { certificate: cert, key } = access.kubelet;
  const client = httpKubeClient({ server: access.server, ca: access.ca, certificate: cert, key, userAgent: 'gantry-images' });
  signal.addEventListener('abort', () => client.close(), { once: true });
  return clusterPeers({ client, clock: around.clock, log: around.log, signal, self: name, others: [{ name: 'engine', url: new URL(imageStore) }], tls: { ca: access.ca, cert, key } });
}
