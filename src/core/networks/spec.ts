import { Fault } from '#lib/errors.ts';
import { formatIpv4, overlaps, parseCidr, parseIpv4 } from '#lib/ipv4.ts';
import { block, chooseSubnet, defaultPools } from './ipam.ts';
import type { IpamConfig, Network, NetworkSpec } from './types.ts';

export const predefined = ['bridge', 'host', 'none'] as const;

/**
 * Every packet between two endpoints passes the host's routing, none the bridge alone: so what is led elsewhere by the
 * host's rules (a Service's address) comes back through them, and the peer sees the sender's own address.
 */
export const pointToPointOption = 'gantry.network.point_to_point';

const knownOptions = new Set([
  'com.docker.network.bridge.name',
  'com.docker.network.bridge.enable_ip_masquerade',
  'com.docker.network.bridge.enable_icc',
  'com.docker.network.bridge.host_binding_ipv4',
  'com.docker.network.bridge.default_bridge',
  'com.docker.network.bridge.gateway_mode_ipv4',
  'com.docker.network.driver.mtu',
  pointToPointOption,
]);

/** Bytes: what IPv4 must carry (RFC 791), and what fits its length field. */
const leastMtu = 68;
const mostMtu = 65_535;

export interface BridgeSettings {
  mtu: number;
  masquerade: boolean;
  /** Containers on it reach each other. */
  connected: boolean;
  /** They do so through the host's routing. */
  pointToPoint: boolean;
  /** Others reach its containers on every port, not on published ones alone. */
  open: boolean;
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
  if (flagOf(spec.options?.['com.docker.network.bridge.default_bridge'])) {
    throw new Fault('forbidden', `network ${spec.name}: there is a default bridge already: leave out com.docker.network.bridge.default_bridge`);
  }
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

function flagOf(text: string | undefined): boolean {
  return text !== undefined && !['false', '0', 'f'].includes(text.toLowerCase());
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
  const { options } = network;
  const refuse = (name: string, wants: string): never => {
    throw new Fault('invalid', `network ${network.name}: the option ${name} takes ${wants}, not ${JSON.stringify(options[name])}`);
  };
  const flag = (name: string, otherwise: boolean): boolean => {
    const text = (options[name] ?? String(otherwise)).toLowerCase();
    if (!['true', '1', 't', 'false', '0', 'f'].includes(text)) refuse(name, 'true or false');
    return ['true', '1', 't'].includes(text);
  };
  const mtuOption = 'com.docker.network.driver.mtu';
  const mtu = options[mtuOption] === undefined ? uplinkMtu : Number(options[mtuOption]);
  if (options[mtuOption] !== undefined && !(/^\d+$/.test(options[mtuOption]) && mtu >= leastMtu && mtu <= mostMtu)) refuse(mtuOption, `a number from ${leastMtu} to ${mostMtu}`);
  const modeOption = 'com.docker.network.bridge.gateway_mode_ipv4';
  const mode = options[modeOption] ?? 'nat';
  if (mode !== 'nat' && mode !== 'nat-unprotected') refuse(modeOption, 'nat or nat-unprotected');
  const bindingOption = 'com.docker.network.bridge.host_binding_ipv4';
  const hostBinding = options[bindingOption] ?? '0.0.0.0';
  if (parseIpv4(hostBinding) === undefined) refuse(bindingOption, 'an IPv4 address');
  const connected = flag('com.docker.network.bridge.enable_icc', true);
  return {
    mtu,
    masquerade: flag('com.docker.network.bridge.enable_ip_masquerade', true),
    connected,
    pointToPoint: flag(pointToPointOption, false) || !connected,
    open: mode === 'nat-unprotected',
    hostBinding: hostBinding === '0.0.0.0' ? '' : hostBinding,
  };
}
