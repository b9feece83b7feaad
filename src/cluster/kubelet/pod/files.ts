/** The files of a pod that its containers see as /etc/hosts, /etc/resolv.conf and /etc/hostname. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '#api/kube/types.ts';
import { resolvConfForOthers, resolvedConfPath } from '#lib/dns/forward.ts';
import { Fault } from '#lib/errors.ts';

export interface DnsSettings {
  clusterDns: readonly string[];
  clusterDomain: string;
}

/** Kubernetes' limits of a resolv.conf. */
const nameserverLimit = 3;
const searchLimit = 32;
const hostnameLimit = 63;
const kernelHostnameLimit = 64;

export function hostnameOf(pod: Pod, nodeName: string): string {
  if (pod.spec.hostNetwork) return nodeName;
  const name = pod.spec.hostname || (pod.metadata.name ?? '');
  return name.slice(0, hostnameLimit).replace(/[.-]+$/, '');
}

/** `hostname.subdomain.namespace.svc.domain`, where the pod has a subdomain. */
export function fqdnOf(pod: Pod, nodeName: string, clusterDomain: string): string | undefined {
  if (!pod.spec.subdomain || pod.spec.hostNetwork) return undefined;
  return `${hostnameOf(pod, nodeName)}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`;
}

/** What `hostname` says in the pod. */
export function kernelHostname(pod: Pod, nodeName: string, clusterDomain: string): string {
  const hostname = (pod.spec.setHostnameAsFQDN ? fqdnOf(pod, nodeName, clusterDomain) : undefined) ?? hostnameOf(pod, nodeName);
  if (hostname.length <= kernelHostnameLimit) return hostname;
  throw new Fault('invalid', `Failed to construct FQDN from pod hostname and cluster domain, FQDN ${hostname} is too long (${kernelHostnameLimit} characters is the max, ${hostname.length} characters requested)`);
}

export function hostsFile(pod: Pod, podIp: string | undefined, nodeName: string, clusterDomain: string, hostText: string): string {
  const aliases = (pod.spec.hostAliases ?? []).map((alias) => `${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`);
  const extra = aliases.length === 0 ? '' : `\n# Entries added by HostAliases.\n${aliases.join('\n')}\n`;
  if (pod.spec.hostNetwork) return `# Kubernetes-managed hosts file (host network).\n${hostText}${extra}`;
  const local = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback', 'fe00::0\tip6-localnet', 'fe00::0\tip6-mcastprefix', 'fe00::1\tip6-allnodes', 'fe00::2\tip6-allrouters'];
  const names = [fqdnOf(pod, nodeName, clusterDomain), hostnameOf(pod, nodeName)].filter((name) => name !== undefined);
  const own = podIp === undefined ? [] : [`${podIp}\t${names.join('\t')}`];
  return `# Kubernetes-managed hosts file.\n${[...local, ...own].join('\n')}\n${extra}`;
}

/** The resolv.conf of a pod by its `dnsPolicy` and `dnsConfig`. `hostText` is the node's. */
export function resolvFile(pod: Pod, dns: DnsSettings, hostText: string): string {
  const host = parseResolv(hostText);
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  const { namespace } = pod.metadata;
  const clusterFirst = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec.hostNetwork);
  let base = host;
  if (policy === 'None') base = { nameservers: [], searches: [], options: [] };
  else if (clusterFirst && dns.clusterDns.length > 0) {
    const searches = [`${namespace}.svc.${dns.clusterDomain}`, `svc.${dns.clusterDomain}`, dns.clusterDomain, ...host.searches];
    base = { nameservers: [...dns.clusterDns], searches, options: ['ndots:5'] };
  }
  const config = pod.spec.dnsConfig ?? {};
  const options = new Map(base.options.map((option) => [option.split(':')[0]!, option]));
  for (const { name, value } of config.options ?? []) if (name) options.set(name, value ? `${name}:${value}` : name);
  const nameservers = unique([...base.nameservers, ...(config.nameservers ?? [])]).slice(0, nameserverLimit);
  const searches = unique([...base.searches, ...(config.searches ?? [])]).slice(0, searchLimit);
  const lines = [...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []), ...nameservers.map((server) => `nameserver ${server}`)];
  if (options.size > 0) lines.push(`options ${[...options.values()].join(' ')}`);
  return `${lines.join('\n')}\n`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function parseResolv(text: string): { nameservers: string[]; searches: string[]; options: string[] } {
  const parsed = { nameservers: [] as string[], searches: [] as string[], options: [] as string[] };
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === 'nameserver' && rest[0]) parsed.nameservers.push(rest[0]);
    else if (word === 'search' || word === 'domain') parsed.searches = rest;
    else if (word === 'options') parsed.options.push(...rest);
  }
  return parsed;
}

/** Writes the files of a pod below `directory`, which outlive its containers. */
export function writePodFiles(directory: string, pod: Pod, podIp: string | undefined, nodeName: string, dns: DnsSettings): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  writeFileSync(join(directory, 'hosts'), hostsFile(pod, podIp, nodeName, dns.clusterDomain, readHost('/etc/hosts')));
  const ownResolv = readHost('/etc/resolv.conf');
  const hostResolv = pod.spec.hostNetwork ? ownResolv : resolvConfForOthers(ownResolv, readHost(resolvedConfPath));
  writeFileSync(join(directory, 'resolv.conf'), resolvFile(pod, dns, hostResolv));
  writeFileSync(join(directory, 'hostname'), `${kernelHostname(pod, nodeName, dns.clusterDomain)}\n`);
}

function readHost(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
