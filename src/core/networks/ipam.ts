import { Fault } from '#lib/errors.ts';
import type { Ipv4Block } from '#lib/ipv4.ts';
import { blockSize, contains, formatBlock, formatIpv4, overlaps, parseCidr, parseIpv4 } from '#lib/ipv4.ts';
import { must } from '#lib/assert.ts';
import type { IpamConfig, Network } from './types.ts';

/** Where subnets come from, in order, each cut into blocks of `size` (Docker's list). */
export const defaultPools: readonly { block: string; size: number }[] = [
  { block: '172.17.0.0/16', size: 16 },
  { block: '172.18.0.0/16', size: 16 },
  { block: '172.19.0.0/16', size: 16 },
  { block: '172.20.0.0/14', size: 16 },
  { block: '172.24.0.0/14', size: 16 },
  { block: '172.28.0.0/14', size: 16 },
  { block: '192.168.0.0/16', size: 20 },
];

export function block(cidr: string): Ipv4Block {
  return must(parseCidr(cidr), `IPv4 block ${cidr}`);
}

/** The first subnet of the pools, after `skip` others, that overlaps nothing in `taken`; `exhausted` where none is left. */
export function chooseSubnet(pools: readonly { block: string; size: number }[], taken: readonly Ipv4Block[], skip = 0): string {
  let left = skip;
  for (const pool of pools) {
    const whole = block(pool.block);
    const step = 2 ** (32 - pool.size);
    for (let base = whole.base; base < whole.base + blockSize(whole); base += step) {
      const candidate = { base, prefix: pool.size };
      if (!taken.some((t) => overlaps(t, candidate)) && left-- === 0) return formatBlock(candidate);
    }
  }
  throw new Fault(
    'exhausted',
    'all predefined address pools have been fully subnetted: remove unused networks, or give --subnet a range of your own',
  );
}

/**
 * Addresses of networks. In memory; rebuilt from the endpoints' records at start. An address that was
 * released is used again last, so that a peer's stale entry does not soon lead to another container.
 */
export class Addresses {
  #pools = new Map<string, { used: Set<number>; cursor: number }>();

  /** Marks an address of an endpoint that exists already. */
  hold(networkId: string, address: string): void {
    const pool = this.#pool(networkId);
    const value = must(parseIpv4(address), 'endpoint address');
    pool.used.add(value);
    pool.cursor = Math.max(pool.cursor, value + 1);
  }

  count(networkId: string): number {
    return this.#pools.get(networkId)?.used.size ?? 0;
  }

  /** Takes `wanted`, or the next free address. `forbidden` if taken, `invalid` if outside, `exhausted` if full. */
  take(network: Network, wanted?: string): string {
    const config = must(network.ipam.config[0], `subnet of network ${network.name}`);
    const pool = this.#pool(network.id);
    const reserved = reservedOf(config);
    const value = wanted === undefined ? nextFree(config, pool, reserved) : asked(config, pool.used, reserved, wanted);
    if (value === undefined) {
      throw new Fault('exhausted', `no available IPv4 addresses on this network's address pools: ${network.name} (${network.id})`);
    }
    pool.used.add(value);
    if (wanted === undefined) pool.cursor = value + 1;
    return formatIpv4(value);
  }

  release(networkId: string, address: string): void {
    const value = parseIpv4(address);
    if (value !== undefined) this.#pools.get(networkId)?.used.delete(value);
  }

  forget(networkId: string): void {
    this.#pools.delete(networkId);
  }

  #pool(networkId: string): { used: Set<number>; cursor: number } {
    const found = this.#pools.get(networkId);
    if (found) return found;
    const pool = { used: new Set<number>(), cursor: 0 };
    this.#pools.set(networkId, pool);
    return pool;
  }
}

function asked(config: IpamConfig, used: Set<number>, reserved: Set<number>, wanted: string): number {
  const value = parseIpv4(wanted);
  if (value === undefined) throw new Fault('invalid', `invalid IPv4 address: ${wanted}`);
  const subnet = block(config.subnet);
  if (!contains(subnet, value)) throw new Fault('invalid', `no configured subnet contains IP address ${wanted}`);
  if (used.has(value) || reserved.has(value) || isEdge(subnet, value)) {
    throw new Fault('forbidden', `Address already in use: ${wanted} (subnet ${config.subnet})`);
  }
  return value;
}

function nextFree(config: IpamConfig, pool: { used: Set<number>; cursor: number }, reserved: Set<number>): number | undefined {
  const subnet = block(config.subnet);
  const range = config.ipRange === undefined || config.ipRange === '' ? subnet : block(config.ipRange);
  const size = blockSize(range);
  const start = contains(range, pool.cursor) ? pool.cursor - range.base : 0;
  for (let i = 0; i < size; i++) {
    const value = range.base + ((start + i) % size);
    if (!pool.used.has(value) && !reserved.has(value) && !isEdge(subnet, value)) return value;
  }
  return undefined;
}

/** The network's own address and its broadcast address. */
function isEdge(subnet: Ipv4Block, value: number): boolean {
  return subnet.prefix < 31 && (value === subnet.base || value === subnet.base + blockSize(subnet) - 1);
}

function reservedOf(config: IpamConfig): Set<number> {
  const texts = [...Object.values(config.auxiliaryAddresses ?? {}), ...(config.gateway === undefined ? [] : [config.gateway])];
  return new Set(texts.map(parseIpv4).filter((value) => value !== undefined));
}
