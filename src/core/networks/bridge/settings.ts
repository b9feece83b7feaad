import { Fault } from '#lib/errors.ts';
import { parseIpv4 } from '#lib/ipv4.ts';
import type { Network } from '../types.ts';

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

/** Refuses by name what a bridge does not have. */
export function checkOptions({ name, options = {} }: { name: string; options?: Readonly<Record<string, string>> }): void {
  const unknown = Object.keys(options).find((o) => !knownOptions.has(o));
  if (unknown !== undefined) throw new Fault('not-implemented', `network ${name}: the driver option ${unknown} is not implemented`);
  if (flagOf(options['com.docker.network.bridge.default_bridge'])) {
    throw new Fault('forbidden', `network ${name}: there is a default bridge already: leave out com.docker.network.bridge.default_bridge`);
  }
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

function flagOf(text: string | undefined): boolean {
  return text !== undefined && !['false', '0', 'f'].includes(text.toLowerCase());
}
