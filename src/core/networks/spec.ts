import { Fault } from '#lib/errors.ts';
import { formatIpv4, overlaps, parseCidr, parseIpv4 } from '#lib/ipv4.ts';
import { block, chooseSubnet, defaultPools } from './ipam.ts';
import type { IpamConfig, Network, NetworkSpec } from './types.ts';

/** Networks that Docker has from the start. */
export const predefined = ['bridge', 'host', 'none'] as const;

/** Label of networks that the cluster stands on: the engine neither removes nor prunes them. */
export const clusterLabel = 'gantry.cluster';

/** Refuses by name what no network can be; each driver checks its own options. */
export function checkSpec(spec: NetworkSpec, existing: readonly Network[]): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(spec.name)) {
    throw new Fault('invalid', `invalid network name ${JSON.stringify(spec.name)}: use letters, digits, "_", "." and "-", beginning with a letter or digit`);
  }
  if ((predefined as readonly string[]).includes(spec.name) || spec.name === 'default') {
    throw new Fault('forbidden', `operation is not permitted on predefined ${spec.name} network`);
  }
  if (existing.some((n) => n.name === spec.name)) throw new Fault('already-exists', `network with name ${spec.name} already exists`);
  if (spec.enableIPv6) throw new Fault('not-implemented', `network ${spec.name}: IPv6 is not implemented: leave out --ipv6`);
  const driver = spec.ipam?.driver;
  if (driver && driver !== 'default') throw new Fault('not-found', `could not resolve driver ${driver} in registry: only the default IPAM driver is there`);
}

/** The subnet asked for, checked, or the first free one after `skip` others. */
export function chooseIpam(spec: Pick<NetworkSpec, 'name' | 'ipam'>, existing: readonly Network[], taken: readonly string[], skip: number): IpamConfig {
  const asked = spec.ipam?.config.filter((c) => c.subnet !== undefined && c.subnet !== '') ?? [];
  if (asked.length > 1) throw new Fault('not-implemented', `network ${spec.name}: more than one subnet is not implemented`);
  const used = existing.flatMap((n) => n.ipam.config.map((c) => block(c.subnet)));
  const wanted = asked[0];
  if (!wanted) {
    const subnet = chooseSubnet(defaultPools, [...used, ...taken.flatMap((t) => parseCidr(t) ?? [])], skip);
    return { subnet, gateway: gatewayOf(subnet) };
  }
  const subnet = parseCidr(wanted.subnet);
  if (!subnet) throw new Fault('invalid', `invalid subnet ${wanted.subnet}: write it as 10.1.0.0/24 (IPv6 is not implemented)`);
  if (subnet.address !== subnet.base) throw new Fault('invalid', `invalid subnet ${wanted.subnet}: it should be ${formatIpv4(subnet.base)}/${subnet.prefix}`);
  if (used.some((u) => overlaps(u, subnet))) throw new Fault('forbidden', 'Pool overlaps with other one on this address space');
  for (const text of [wanted.gateway, ...Object.values(wanted.auxiliaryAddresses ?? {})]) {
    if (text && !inside(wanted.subnet, text)) throw new Fault('invalid', `no matching subnet for gateway ${text}: it is not in ${wanted.subnet}`);
  }
  if (wanted.ipRange) {
    const range = parseCidr(wanted.ipRange);
    if (!range || !overlaps(range, subnet) || range.prefix < subnet.prefix) throw new Fault('invalid', `invalid ip-range ${wanted.ipRange}: it is not within ${wanted.subnet}`);
  }
  return { ...wanted, gateway: wanted.gateway || gatewayOf(wanted.subnet) };
}

function inside(subnet: string, address: string): boolean {
  const value = parseIpv4(address);
  return value !== undefined && overlaps(block(subnet), { base: value, prefix: 32 });
}

function gatewayOf(subnet: string): string {
  return formatIpv4(block(subnet).base + 1);
}
