/** Puts the API server together: its keys, its rules over the store, its HTTPS door. */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { KubeClient } from '#client/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { pathRoutes } from './discovery/index.ts';
import type { Address } from './http/door.ts';
import { HttpDoor } from './http/door.ts';
import { NodeDialer } from './node/dial.ts';
import { connectors } from './node/index.ts';
import type { OpenOptions } from './open.ts';
import { openServer } from './open.ts';
import type { CertificateAuthority } from './pki/authority.ts';
import { openAuthority } from './pki/authority.ts';
import { openServiceAccountKeys } from './pki/service-account-keys.ts';
import { addressOf, parseCidr } from './services/cidr.ts';
import type { User } from './types.ts';

export interface ApiServerOptions extends Omit<OpenOptions, 'keys' | 'clusterCa'> {
  /** Keeps the certificate authority and the token key. */
  pkiDirectory: string;
  /** The address by which pods and nodes reach this server. The port is the first listener's where it is 0. */
  advertise: Address;
  /** Further names and addresses that the serving certificate is for. */
  dnsNames?: readonly string[];
  ipAddresses?: readonly string[];
  /** Connections at the most, where it is fewer than the door's own limit. */
  connections?: number;
}

export interface ApiServer {
  /** Opens the HTTPS door; resolves with the addresses taken. */
  listen(addresses: readonly Address[]): Promise<Address[]>;
  /** The in-process client of `user`, who has the rights that roles give; `system:masters` in its groups may do all. */
  localClient(user: User): KubeClient;
  /** Signs certificates for nodes and users. */
  readonly authority: CertificateAuthority;
  close(): Promise<void>;
}

const ownNames = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost'];

/** Reads the store, makes what every cluster has, and is ready to `listen`. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { clock, random, pkiDirectory, advertise } = options;
  refuseLoopback(advertise);
  const log = options.log.child('apiserver');
  const authority = await openAuthority(pkiDirectory, { clock, random });
  const keys = await openServiceAccountKeys(pkiDirectory);
  const open = await openServer({ ...options, log, keys, clusterCa: authority.certificate });
  const serving = await authority.issueServer({
    commonName: 'kube-apiserver',
    dnsNames: [...new Set([...ownNames, hostname(), ...(options.dnsNames ?? [])])],
    ipAddresses: [...new Set(['127.0.0.1', '::1', addressOf(parseCidr(options.serviceCidr), 1), advertise.host, ...(options.ipAddresses ?? [])])],
  });
  const toNodes = await authority.issueClient({ commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] });
  const tls = { ...serving, clientCa: authority.certificate };
  const dialer = new NodeDialer({ ca: authority.certificate, ...toNodes });
  const door = new HttpDoor({ server: open.server, routes: pathRoutes, connectors: connectors(dialer), tls, log, connections: options.connections });
  return {
    authority,
    listen: async (addresses) => {
      const taken = await door.listen(addresses);
      const { host, port } = advertise;
      await open.publish({ host, port: port === 0 ? (taken[0]?.port ?? 0) : port });
      return taken;
    },
    localClient: (user) => open.localClient(user),
    close: async () => {
      await open.close();
      await door.close();
      dialer.close();
    },
  };
}

/** Pods have a loopback of their own: an address on the host's leads them nowhere. */
function refuseLoopback({ host }: Address): void {
  if (isIP(host) !== 0 && !/^(127\.|::1$)/.test(host)) return;
  throw new Fault('invalid', `the API server cannot advertise "${host}": give an IP address at which pods reach this host, such as their bridge's`);
}
