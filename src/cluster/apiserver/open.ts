/** The API server without its HTTPS door: verbs, rights and admission over a store, for those in the same process. */
import type { KubeClient } from '#client/kube/types.ts';
import { resources as allResources } from '#cluster/resources/index.ts';
import type { Resource } from '#cluster/resources/types.ts';
import type { Store } from '#core/store/types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import { askedResources, inDiscoveryOrder } from './actions/resources.ts';
import type { TolerationSeconds } from './admission/default-tolerations.ts';
import { admissionSteps } from './admission/index.ts';
import type { TokenAuthorityOptions } from './authn/service-account.ts';
import { tokenAuthority } from './authn/service-account.ts';
import { NodeAuthorizer } from './authz/node.ts';
import { RbacAuthorizer } from './authz/rbac.ts';
import { keepKubernetesService } from './bootstrap/kubernetes-service.ts';
import { bootstrap } from './bootstrap/objects.ts';
import { startCompaction } from './compaction.ts';
import type { Core } from './core.ts';
import { addCaches, ObjectsTable } from './core.ts';
import type { Address } from './http/door.ts';
import { localClient } from './local.ts';
import type { ServiceAccountKeys } from './pki/service-account-keys.ts';
import { ResourceTable } from './resource-table.ts';
import type { Server } from './server-core.ts';
import { addressOf, parseCidr } from './services/cidr.ts';
import { Caches } from './storage/caches.ts';
import { Expiry } from './storage/expiry.ts';
import type { User } from './types.ts';

export interface OpenOptions {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Where Services get their addresses, `10.96.0.0/16`; its first address is the API server's own Service. */
  serviceCidr: string;
  /** First and last node port; 30000 to 32767 where it is not given. */
  nodePorts?: { first: number; last: number };
  /** How long pods bear a node in trouble, where they do not say; 300 s where it is not given. */
  tolerations?: TolerationSeconds;
  /** The `iss` of service-account tokens. */
  issuer?: string;
  /** Other resources than all that are known: for tests. */
  resources?: readonly Resource[];
  keys: ServiceAccountKeys;
  /** PEM: whom clients of this server trust. */
  clusterCa: string;
}

export interface OpenServer {
  readonly server: Server;
  /** The in-process client of `user`, who has the rights that roles give; `system:masters` in its groups may do all. */
  localClient(user: User): KubeClient;
  /** Makes the Service `kubernetes` lead to `address`, and keeps it. */
  publish(address: Address): Promise<void>;
  close(): Promise<void>;
}

const defaultIssuer = 'https://kubernetes.default.svc.cluster.local';
const defaultNodePorts = { first: 30_000, last: 32_767 };

/** Reads the store and makes what every cluster has. */
export async function openServer(options: OpenOptions): Promise<OpenServer> {
  const { store, clock, random, log, keys } = options;
  const caches = new Caches({ store, log, clock });
  const resources = new ResourceTable(inDiscoveryOrder([...(options.resources ?? allResources), ...askedResources]));
  const objects = new ObjectsTable(resources.all, addCaches(caches, resources.all));
  await caches.start();
  const rbac = new RbacAuthorizer(objects, resources);
  const authorizer = new NodeAuthorizer(rbac, objects, resources);
  const issuer = options.issuer ?? defaultIssuer;
  const tokens = tokenAuthority({ keys, issuer, clock, random, uidOf: uidLookup(resources, objects) });
  const core: Core = { store, caches, resources, objects, clock, random, log, admission: [], expiry: new Expiry(store, clock) };
  const cidr = parseCidr(options.serviceCidr);
  core.admission = admissionSteps({ core, authorizer: rbac, cidr, nodePorts: options.nodePorts ?? defaultNodePorts, tolerations: options.tolerations });
  const server: Server = { core, authentication: { tokens, keys, issuer, audiences: [issuer] }, authorizer, rbac, clusterCa: options.clusterCa };
  try {
    await bootstrap(core);
  } catch (error) {
    await caches.stop();
    throw error;
  }
  const compaction = startCompaction({ store, caches, clock, log });
  const stop = new AbortController();
  return {
    server,
    localClient: (user) => localClient(server, user),
    publish: (address) => keepKubernetesService(core, addressOf(cidr, 1), address, stop.signal),
    close: async () => {
      compaction.cancel();
      stop.abort();
      await caches.stop();
    },
  };
}

function uidLookup(resources: ResourceTable, objects: ObjectsTable): TokenAuthorityOptions['uidOf'] {
  return (plural, namespace, name) => {
    const resource = resources.find('', 'v1', plural);
    return resource && objects.of(resource).get(namespace, name)?.object.metadata.uid;
  };
}
