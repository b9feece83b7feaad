/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a run: written in the container's directory and bound into it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extraHostLines } from '#api/docker/extra-hosts.ts';
import type { MountSpec } from '#core/containers/types.ts';
import type { Endpoint } from '#core/networks/types.ts';
import { resolvConfForOthers, resolvedConfPath } from '#lib/dns/forward.ts';
import type { ContainerRecord } from './record.ts';
import { shortId } from './record.ts';

export const etcNames = ['hosts', 'hostname', 'resolv.conf'] as const;

/** Where the host's own servers are of no use to a container: public ones, as Docker has them. */
const publicServers = ['8.8.8.8', '8.8.4.4'];

export interface EtcInput {
  record: ContainerRecord;
  endpoints: readonly Endpoint[];
  /** Names are served at 127.0.0.11. */
  served: boolean;
  hostNetwork: boolean;
  /** What `host-gateway` in ExtraHosts means. */
  hostGateway: string | undefined;
  /** The host's resolv.conf. */
  hostResolv: string;
  hostHosts: string;
}

export function hostnameOf(record: ContainerRecord): string {
  const { Hostname, Domainname } = record.config;
  const name = Hostname || shortId(record.id);
  return Domainname ? `${name}.${Domainname}` : name;
}

export function hostsFile(input: EtcInput): string {
  const { record, endpoints } = input;
  const lines = input.hostNetwork
    ? [input.hostHosts.trimEnd()]
    : ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', 'fe00::\tip6-localnet', 'ff00::\tip6-mcastprefix', 'ff02::1\tip6-allnodes', 'ff02::2\tip6-allrouters'];
  lines.push(...extraHostLines(record.hostConfig.ExtraHosts ?? [], input.hostGateway), ...endpoints.map((endpoint) => ownLine(record, endpoint)));
  return `${lines.join('\n')}\n`;
}

/** The container's own name at its address on one network. */
function ownLine(record: ContainerRecord, endpoint: Pick<Endpoint, 'address'>): string {
  const { Hostname, Domainname } = record.config;
  const name = Hostname || shortId(record.id);
  return `${endpoint.address}\t${Domainname ? `${name}.${Domainname} ` : ''}${name}`;
}

interface Resolver {
  servers: string[];
  search: string[];
  options: string[];
}

/** The host's servers as others can reach them, and what `--dns…` says in their place. */
export function resolverOf(record: ContainerRecord, hostResolv: string, keepLoopback: boolean): Resolver {
  const words = hostResolv.split('\n').map((line) => line.trim().split(/\s+/));
  const values = (key: string): string[] => words.filter((w) => w[0] === key).flatMap((w) => w.slice(1));
  const reachable = values('nameserver').filter((s) => keepLoopback || !/^(127\.|::1$)/.test(s));
  const { Dns, DnsSearch, DnsOptions } = record.hostConfig;
  return {
    servers: Dns?.length ? Dns : reachable.length > 0 ? reachable : publicServers,
    search: (DnsSearch?.length ? DnsSearch : values('search')).filter((s) => s !== '.'),
    options: DnsOptions?.length ? DnsOptions : values('options'),
  };
}

export function resolvFile(input: EtcInput): string {
  const { servers, search, options } = resolverOf(input.record, input.hostResolv, input.hostNetwork);
  const shown = input.served ? ['127.0.0.11'] : servers;
  const set = input.served && !options.some((o) => o.startsWith('ndots:')) ? [...options, 'ndots:0'] : options;
  const lines = shown.map((server) => `nameserver ${server}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  if (set.length > 0) lines.push(`options ${set.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** `hostNetwork`: as processes in the host's network see them, else as others can use them. */
export async function readHostFiles(hostNetwork: boolean): Promise<{ hostResolv: string; hostHosts: string }> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const [ownResolv, resolved, hostHosts] = await Promise.all([read('/etc/resolv.conf'), read(resolvedConfPath), read('/etc/hosts')]);
  return { hostResolv: hostNetwork ? ownResolv : resolvConfForOthers(ownResolv, resolved), hostHosts };
}

/** Writes the files. They are written in place, so that one that is bound into a container already changes there too. */
export async function writeEtcFiles(directory: string, input: EtcInput): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o710 });
  const content = { hosts: hostsFile(input), hostname: `${hostnameOf(input.record)}\n`, 'resolv.conf': resolvFile(input) };
  await Promise.all(etcNames.map((name) => writeFile(join(directory, name), content[name], { mode: 0o644 })));
}

/** A network was joined while the container runs; `before` is how its files were made. What it changed in them itself stays. */
export async function noteJoined(directory: string, before: EtcInput, endpoint: Endpoint, served: boolean): Promise<void> {
  await rewrite(join(directory, 'hosts'), (text) => `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${ownLine(before.record, endpoint)}\n`);
  if (!served || before.served) return;
  await rewrite(join(directory, 'resolv.conf'), (text) => (text === resolvFile(before) ? resolvFile({ ...before, served }) : text));
}

/** A network was left while the container runs. */
export async function noteLeft(directory: string, record: ContainerRecord, endpoint: Endpoint): Promise<void> {
  const line = ownLine(record, endpoint);
  await rewrite(join(directory, 'hosts'), (text) => text.split('\n').filter((other) => other !== line).join('\n'));
}

/** In place: the file is bound into the container. */
async function rewrite(path: string, change: (text: string) => string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const changed = change(text);
  if (changed !== text) await writeFile(path, changed);
}

export function etcMounts(directory: string): MountSpec[] {
  return etcNames.map((name) => ({ type: 'bind', source: join(directory, name), target: `/etc/${name}`, options: ['rbind', 'rprivate', 'rw'] }));
}
