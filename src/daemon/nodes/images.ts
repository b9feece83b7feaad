import { httpKubeClient } from '#client/kube/http.ts';
import { clusterPeers } from '#cluster/kubelet/images/peers.ts';
import { listenForNodes } from '#cluster/kubelet/images/serve.ts';
import type { Peers } from '#core/images/peers/types.ts';
import type { Cluster } from '../cluster.ts';
import { addressIn, type ClusterNetwork } from '../cluster-network.ts';
import { withKeptPort } from '../ports.ts';
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
  const { authority } = cluster.api;
  const serving = await authority.issueServer({ commonName: 'gantry-image-store', dnsNames: [], ipAddresses: [host] });
  const listen = (port: number) => listenForNodes({ images: runtime.images, tls: { cert: serving.certificate, key: serving.key, clientCa: authority.certificate }, host, port });
  const listener = await withKeptPort(around.root, 'images', listen);
  return { url: `https://${host}:${listener.port}`, close: () => listener.close() };
}

/** Whom an agent asks for images: the engine, and the other nodes. */
export function agentPeers(around: Surroundings, { name, access, imageStore }: JoinFile, signal: AbortSignal): Peers {
  const { certificate: cert, key } = access.kubelet;
  const client = httpKubeClient({ server: access.server, ca: access.ca, certificate: cert, key, userAgent: 'gantry-images' });
  signal.addEventListener('abort', () => client.close(), { once: true });
  return clusterPeers({ client, clock: around.clock, log: around.log, signal, self: name, others: [{ name: 'engine', url: new URL(imageStore) }], tls: { ca: access.ca, cert, key } });
}
