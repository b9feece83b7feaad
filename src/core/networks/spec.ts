import { Fault } from '#lib/errors.ts';
import { formatIpv4, overlaps, parseCidr, parseIpv4 } from '#lib/ipv4.ts';
import { block, chooseSubnet, defaultPools } from './ipam.ts';
import type { IpamConfig, Network, NetworkSpec } from './types.ts';

export const predefined = ['bridge', 'host', 'none'] as const;

const knownOptions = new Set([
  'com.docker.network.bridge.name',
  'com.docker.network.bridge.enable_ip_masquerade',
  'com.docker.network.bridge.enable_icc',
  'com.docker.network.bridge.host_binding_ipv4',
  'com.docker.network.bridge.default_bridge',
  'com.docker.network.driver.mtu',
]);

export interface BridgeSettings {
  mtu: number;
  masquerade: boolean;
  /** Containers on it reach each other. */
  shared: boolean;
  /** Address that ports are published on where the request names none. */
  hostBinding: string;
}

/** Refuses by name what a network cannot be. */
export function checkSpec(spec: NetworkSpec, existing: readonly Network[]): void {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(spec.name)) {
    throw new Fault('invalid', `invalid network name ${JSON.stringify(spec.name)}: use letters, digits, "_", "." and "-", beginning with a letter or digit`);
  }
  if ((predefined as readonly string[]).includes(spec.name) || spec.name === 'default') {
    throw new Fault('forbidden', `operation is not permitted on predefined ${spec.name} network`);
  }
  if (existing.some((n) => n.name === spec.name)) throw new Fault('already-exists', `network with name ${spec.name} already exists`);
  if (spec.driver !== 'bridge') throw new Fault('invalid', `only one instance of "${spec.driver}" network is allowed`);
  if (spec.enableIPv6) throw new Fault('not-implemented', `network ${spec.name}: IPv6 is not implemented: leave out --ipv6`);
  const unknown = Object.keys(spec.options ?? {}).find((o) => !knownOptions.has(o));
  if (unknown !== undefined) throw new Fault('not-implemented', `network ${spec.name}: the driver option ${unknown} is not implemented`);
  const driver = spec.ipam?.driver;
  if (driver && driver !== 'default') throw new Fault('not-found', `could not resolve driver ${driver} in registry: only the default IPAM driver is there`);
}

/** The subnet asked for, checked, or a free one. */
export function chooseIpam(spec: Pick<NetworkSpec, 'name' | 'ipam' | 'internal'>, existing: readonly Network[], taken: readonly string[]): IpamConfig {
  const asked = spec.ipam?.config.filter((c) => c.subnet !== undefined && c.subnet !== '') ?? [];
  if (asked.length > 1) throw new Fault('not-implemented', `network ${spec.name}: more than one subnet is not implemented`);
  const used = existing.flatMap((n) => n.ipam.config.map((c) => block(c.subnet)));
  const wanted = asked[0];
  if (!wanted) {
    const subnet = chooseSubnet(defaultPools, [...used, ...taken.flatMap((t) => parseCidr(t) ?? [])]);
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

/** The driver's options with their defaults. Fault `invalid` for a value that is none. */
export function bridgeSettings(network: Pick<Network, 'name' | 'options'>, uplinkMtu: number): BridgeSettings {
  const option = (name: string): string | undefined => network.options[`com.docker.network.${name}`];
  const flag = (name: string): boolean => !['false', '0', 'f'].includes((option(name) ?? 'true').toLowerCase());
  const mtu = option('driver.mtu');
  if (mtu !== undefined && !/^\d{2,5}$/.test(mtu)) throw new Fault('invalid', `network ${network.name}: com.docker.network.driver.mtu takes a number, not ${mtu}`);
  return {
    mtu: mtu === undefined ? uplinkMtu : Number(mtu),
    masquerade: flag('bridge.enable_ip_masquerade'),
    shared: flag('bridge.enable_icc'),
    hostBinding: option('bridge.host_binding_ipv4') ?? '',
  };
}
