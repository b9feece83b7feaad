import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import type { AskedNetwork, NetworkDriver } from '../driver.ts';
import { block } from '../ipam.ts';
import { checkLinkName, type LinkNames } from '../links.ts';
import { bridgeElements, type ElementChange } from '../rules.ts';
import { chooseIpam } from '../spec.ts';
import type { Network } from '../types.ts';
import { BridgeEndpoints } from './endpoints.ts';
import type { HostSide } from '../host.ts';
import { bridgeSettings, checkOptions } from './settings.ts';

const nameOption = 'com.docker.network.bridge.name';

/** A Linux bridge on the host for each network, a veth pair for each endpoint. */
export class BridgeDriver implements NetworkDriver {
  readonly name = 'bridge';
  readonly predefined = true;
  readonly endpoints: BridgeEndpoints;
  readonly #host: HostSide;
  readonly #names: LinkNames;

  constructor(host: HostSide, names: LinkNames, clock: Clock) {
    this.#host = host;
    this.#names = names;
    this.endpoints = new BridgeEndpoints(host, names, clock);
  }

  describe({ id, spec, predefined, existing, createdAt }: AskedNetwork, skip: number): Network {
    if (!predefined) checkOptions(spec);
    const options = predefined ? this.#defaultOptions() : (spec.options ?? {});
    const bridge = options[nameOption] ?? this.#names.bridge(id);
    checkLinkName(bridge, nameOption);
    const network: Network = {
      id,
      name: spec.name,
      driver: this.name,
      predefined,
      internal: spec.internal ?? false,
      attachable: spec.attachable ?? false,
      enableIPv6: false,
      createdAt,
      ipam: { driver: 'default', config: [chooseIpam(spec, existing, this.#host.taken(), skip)], options: spec.ipam?.options ?? {} },
      options,
      labels: spec.labels ?? {},
      bridge,
    };
    bridgeSettings(network, 0);
    return network;
  }

  present(network: Network): boolean {
    return this.#host.has(linkOf(network));
  }

  raise(network: Network): void {
    const [config] = network.ipam.config;
    const gateway = config?.gateway && `${config.gateway}/${block(config.subnet).prefix}`;
    this.#host.ensureBridge(linkOf(network), gateway, bridgeSettings(network, this.#host.uplinkMtu()).mtu);
  }

  contested(network: Network): boolean {
    return this.#host.contested(linkOf(network), network.ipam.config[0]?.subnet ?? '');
  }

  lower(network: Network): void {
    this.#host.deleteLink(linkOf(network));
  }

  elements(network: Network): ElementChange[] {
    const { masquerade, connected, pointToPoint, open } = bridgeSettings(network, 0);
    const subnet = network.ipam.config[0]?.subnet ?? '';
    return bridgeElements({ bridge: linkOf(network), subnet, internal: network.internal, masquerade, connected, shared: !pointToPoint, open });
  }

  #defaultOptions(): Record<string, string> {
    return {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': 'true',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
      [nameOption]: this.#names.defaultBridge,
      'com.docker.network.driver.mtu': String(this.#host.uplinkMtu()),
    };
  }
}

function linkOf({ name, bridge }: Network): string {
  if (bridge === undefined) throw new Fault('internal', `network ${name} is kept without its bridge`);
  return bridge;
}
