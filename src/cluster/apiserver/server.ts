/** Puts the API server together. */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { KubeClient } from '#client/kube/types.ts';
import { resources as allResources } from '#cluster/resources/index.ts';
import type { Resource } from '#cluster/resources/types.ts';
import type { Store } from '#core/store/types.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import { actions } from './actions/index.ts';
import { askedResources, inDiscoveryOrder } from './actions/resources.ts';
import { admissionSteps } from './admission/index.ts';
import type { TokenAuthorityOptions } from './authn/service-account.ts';
import { tokenAuthority } from './authn/service-account.ts';
import { NodeAuthorizer } from './authz/node.ts';
import { RbacAuthorizer } from './authz/rbac.ts';
import { keepKubernetesService } from './bootstrap/kubernetes-service.ts';
import { bootstrap } from './bootstrap/objects.ts';
import { keepRootCa } from './bootstrap/root-ca.ts';
import { startCompaction } from './compaction.ts';
import type { Core } from './core.ts';
import { addCaches, ObjectsTable } from './core.ts';
import { pathRoutes } from './discovery/index.ts';
import type { Address } from './http/door.ts';
import { HttpDoor } from './http/door.ts';
import { localClient } from './local.ts';
import { NodeDialer } from './node/dial.ts';
import { connectors } from './node/index.ts';
import type { CertificateAuthority } from './pki/authority.ts';
import { openAuthority } from './pki/authority.ts';
import { openServiceAccountKeys } from './pki/service-account-keys.ts';
import { ResourceTable } from './resource-table.ts';
import type { Server } from './server-core.ts';
import { addressOf, parseCidr } from './services/cidr.ts';
import { Caches } from './storage/caches.ts';
import { Expiry } from './storage/expiry.ts';
import type { User } from './types.ts';

export interface ApiServerOptions {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Keeps the certificate authority and the token key. */
  pkiDirectory: string;
  /** Where Services get their addresses, `10.96.0.0/16`; its first address is the API server's own Service. */
  serviceCidr: string;
  /** First and last node port; 30000 to 32767 where it is not given. */
  nodePorts?: { first: number; last: number };
  /** The address by which pods and nodes reach this server. The port is the first listener's where it is 0. */
  advertise: Address;
  /** Further names and addresses that the serving certificate is for. */
  dnsNames?: readonly string[];
  ipAddresses?: readonly string[];
  /** The `iss` of service-account tokens. */
  issuer?: string;
  /** Other resources than all that are known: for tests. */
  resources?: readonly Resource[];
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

const defaultIssuer = 'https://kubernetes.default.svc.cluster.local';
const defaultNodePorts = { first: 30_000, last: 32_767 };
const ownNames = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost'];

/** Reads the store, makes what every cluster has, and is ready to `listen`. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock, random, pkiDirectory } = options;
  refuseLoopback(options.advertise);
  const log = options.log.child('apiserver');
  const authority = await openAuthority(pkiDirectory, { clock, random });
  const caches = new Caches({ store, log, clock });
  const resources = new ResourceTable(inDiscoveryOrder([...(options.resources ?? allResources), ...askedResources]));
  const objects = new ObjectsTable(resources.all, addCaches(caches, resources.all));
  await caches.start();
  const rbac = new RbacAuthorizer(objects, resources);
  const authorizer = new NodeAuthorizer(rbac, objects, resources);
  const issuer = options.issuer ?? defaultIssuer;
  const keys = await openServiceAccountKeys(pkiDirectory);
  const tokens = tokenAuthority({ keys, issuer, clock, random, uidOf: uidLookup(resources, objects) });
  const core: Core = { store, caches, resources, objects, clock, random, log, admission: [], expiry: new Expiry(store, clock) };
  const cidr = parseCidr(options.serviceCidr);
  core.admission = admissionSteps({ core, authorizer: rbac, cidr, nodePorts: options.nodePorts ?? defaultNodePorts });
  const server: Server = { core, authentication: { tokens, keys, issuer, audiences: [issuer] }, authorizer, rbac, actions, clusterCa: authority.certificate };
  await bootstrap(core);
  const compaction = startCompaction(store, clock, log);
  const stop = new AbortController();
  const rootCa = keepRootCa(core, authority.certificate, stop.signal);
  const serving = await authority.issueServer({
    commonName: 'kube-apiserver',
    dnsNames: [...new Set([...ownNames, hostname(), ...(options.dnsNames ?? [])])],
    ipAddresses: [...new Set(['127.0.0.1', '::1', addressOf(cidr, 1), options.advertise.host, ...(options.ipAddresses ?? [])])],
  });
  const toNodes = await authority.issueClient({ commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] });
  const tls = { ...serving, clientCa: authority.certificate };
  const dialer = new NodeDialer({ ca: authority.certificate, ...toNodes });
  const door = new HttpDoor({ server, routes: pathRoutes, connectors: connectors(dialer), tls, log });
  return {
    authority,
    listen: async (addresses) => {
      const taken = await door.listen(addresses);
      const { host, port } = options.advertise;
      await keepKubernetesService(core, addressOf(cidr, 1), { host, port: port === 0 ? (taken[0]?.port ?? 0) : port }, stop.signal);
      return taken;
    },
    localClient: (user) => localClient(server, user),
    close: async () => {
      compaction.cancel();
      stop.abort();
      await caches.stop();
      await rootCa;
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

function uidLookup(resources: ResourceTable, objects: ObjectsTable): TokenAuthorityOptions['uidOf'] {
  return (plural, namespace, name) => {
    const resource = resources.find('', 'v1', plural);
    return resource && objects.of(resource).get(namespace, name)?.object.metadata.uid;
  };
}
