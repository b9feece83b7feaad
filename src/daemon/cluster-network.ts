import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '#lib/errors.ts';
import { formatIpv4, overlaps, parseCidr, type Ipv4Block } from '#lib/ipv4.ts';
import { isRecordOf, isText, readStateFile } from '#lib/state-file.ts';
import type { Kernel } from '#sys/types.ts';

/** The address ranges of a cluster; chosen once, then kept. */
export interface ClusterNetwork {
  /** All nodes and pods, `10.244.0.0/16`. The first /24 is the daemon's: its own pods, or the nodes' addresses. */
  clusterCidr: string;
  serviceCidr: string;
}

/** Kubernetes' usual ranges come first; a host or another instance that has them moves us on. */
const podFirst = 244;
const serviceFirst = 96;
const tries = 100;

/** The ranges in `file`, or new ones that overlap no address and no route of the host. */
export function clusterNetwork(file: string, kernel: Kernel): ClusterNetwork {
  const saved = read(file);
  if (saved) return saved;
  const taken = hostBlocks(kernel);
  const chosen = { clusterCidr: free(podFirst, taken), serviceCidr: free(serviceFirst, taken) };
  mkdirSync(dirname(file), { recursive: true, mode: 0o711 });
  writeFileSync(`${file}.new`, JSON.stringify(chosen));
  renameSync(`${file}.new`, file);
  return chosen;
}

/** The `number`th address of a range. */
export function addressIn(cidr: string, number: number): string {
  return formatIpv4(baseOf(cidr) + number);
}

/** The `number`th block of a length in a range. */
export function blockIn(cidr: string, prefix: number, number: number): string {
  return `${formatIpv4(baseOf(cidr) + number * 2 ** (32 - prefix))}/${prefix}`;
}

function baseOf(cidr: string): number {
  const block = parseCidr(cidr);
  if (!block) throw new Fault('internal', `${cidr} is no IPv4 range`);
  return block.base;
}

function read(file: string): ClusterNetwork | undefined {
  const saved = readStateFile(file, isSaved, 'pods and Services then get addresses from ranges that are chosen anew');
  // what earlier versions wrote: the /24 of the one node
  return saved && { serviceCidr: saved.serviceCidr, clusterCidr: saved.clusterCidr ?? (saved.podSubnet ?? '').replace(/\/24$/, '/16') };
}

interface Saved {
  serviceCidr: string;
  clusterCidr?: string;
  podSubnet?: string;
}

function isSaved(value: unknown): value is Saved {
  if (!isRecordOf(value, isText)) return false;
  return [value['serviceCidr'], value['clusterCidr'] ?? value['podSubnet']].every((cidr) => cidr !== undefined && parseCidr(cidr) !== undefined);
}

function hostBlocks(kernel: Kernel): Ipv4Block[] {
  const netlink = kernel.netlinks.open();
  try {
    const texts = [...netlink.addresses().map((a) => a.address), ...netlink.routes().map((r) => r.destination)];
    return texts.filter((t) => !t.endsWith('/0')).flatMap((t) => parseCidr(t) ?? []);
  } finally {
    netlink.close();
  }
}

/** 10.N.0.0 for the first N from `first` on whose /16 is free. */
function free(first: number, taken: readonly Ipv4Block[]): string {
  for (let i = 0; i < tries; i++) {
    const second = (first + i) % 256;
    const whole = parseCidr(`10.${second}.0.0/16`);
    if (whole && !taken.some((t) => overlaps(t, whole))) return `10.${second}.0.0/16`;
  }
  throw new Fault('exhausted', 'no free range in 10.0.0.0/8 for the cluster: free one of the host\'s routes in it');
}
