import { decode, encode, RECURSION_DESIRED } from 'dns-packet';
import type { EndpointSlice, Service } from '#api/kube/types.ts';
import { endpointSlices as slicesRef, services as servicesRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { createInformers } from '#cluster/machinery/informers.ts';
import { keyOf } from '#cluster/machinery/types.ts';
import type { Clock } from '#lib/clock.ts';
import { forwardQuery } from '#lib/dns/forward.ts';
import { readQuery, rcodes, writeAnswer, type Answer, type Query } from '#lib/dns/message.ts';
import { serveDns } from '#lib/dns/server.ts';
import type { Logger } from '#lib/log.ts';
import { answerName, type DnsView } from './names.ts';
import { openSockets } from './sockets.ts';

export interface ClusterDnsOptions {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  /** Where it listens, by UDP and TCP; port 0 takes a free one. */
  address: string;
  port: number;
  /** `cluster.local` */
  domain: string;
  /** Asked for all other names. */
  upstreams: () => readonly string[];
  signal: AbortSignal;
}

export interface ClusterDns {
  port: number;
  close(): Promise<void>;
}

/** CNAMEs followed within the cluster and to the upstreams. */
const mostAliases = 8;

/** Starts the cluster's DNS server; resolves when it knows the Services there are. */
export async function startClusterDns(options: ClusterDnsOptions): Promise<ClusterDns> {
  const view = await createView(options);
  const { udp, tcp, port } = await openSockets(options.address, options.port);
  const close = serveDns(udp, tcp, (query) => answer(query, view, options));
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        tcp.once('close', resolve);
        close();
      }),
  };
}

async function answer(query: Query, view: DnsView, options: ClusterDnsOptions): Promise<Buffer> {
  const { name, type } = query.question;
  const answers: Answer[] = [];
  let asked = name;
  for (let i = 0; i < mostAliases; i++) {
    const found = answerName(asked, type, view);
    if (found === null) return writeAnswer(query, answers.length > 0 ? rcodes.noError : rcodes.nameError, answers, { authoritative: true });
    if (found === undefined) break;
    answers.push(...rotated(found, query.id)); // an alias stays before what it leads to
    const [alias] = found;
    if (alias?.type !== 'CNAME' || type === 'CNAME') return writeAnswer(query, rcodes.noError, answers, { authoritative: true });
    asked = alias.data;
  }
  if (answers.length > 0) return writeAnswer(query, rcodes.noError, [...answers, ...(await outside(asked, query, options))]);
  return forwardQuery(query, options.upstreams(), options.clock);
}

/** What the upstreams say of a name outside that a Service stands for: resolvers of C libraries do not follow it themselves. */
async function outside(name: string, query: Query, options: ClusterDnsOptions): Promise<readonly Answer[]> {
  const raw = encode({ type: 'query', id: query.id, flags: RECURSION_DESIRED, questions: [{ ...query.question, name }] });
  const asked = readQuery(raw, query.transport);
  if (!asked) return [];
  return decode(await forwardQuery(asked, options.upstreams(), options.clock)).answers ?? [];
}

/** Spreads the load over several addresses. */
function rotated(answers: readonly Answer[], by: number): Answer[] {
  const start = answers.length === 0 ? 0 : by % answers.length;
  return [...answers.slice(start), ...answers.slice(0, start)];
}

async function createView(options: ClusterDnsOptions): Promise<DnsView> {
  const informers = createInformers({ ...options, log: options.log.child('dns') });
  const services = informers.of<Service>(servicesRef);
  const slices = informers.of<EndpointSlice>(slicesRef);
  services.addIndex('address', (s) => (s.spec?.clusterIP && s.spec.clusterIP !== 'None' ? [s.spec.clusterIP] : []));
  slices.addIndex('service', (s) => serviceKey(s) ?? []);
  slices.addIndex('address', (s) => (s.endpoints ?? []).flatMap((e) => e.addresses ?? []));
  await Promise.all([services.synced, slices.synced]);
  return {
    domain: options.domain.toLowerCase(),
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    slices: (namespace, name) => slices.byIndex('service', `${namespace}/${name}`),
    byAddress(address) {
      const [service] = services.byIndex('address', address);
      if (service) return { service };
      for (const slice of slices.byIndex('address', address)) {
        const owner = services.get(serviceKey(slice)?.[0] ?? '');
        const endpoint = slice.endpoints?.find((e) => e.addresses?.includes(address));
        if (owner && owner.spec?.clusterIP === 'None' && endpoint) return { service: owner, endpoint };
      }
      return undefined;
    },
  };
}

function serviceKey(slice: EndpointSlice): string[] | undefined {
  const name = slice.metadata?.labels?.['kubernetes.io/service-name'];
  const namespace = keyOf(slice).split('/')[0];
  return name === undefined ? undefined : [`${namespace}/${name}`];
}
