import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { overlaps, parseCidr } from '#lib/ipv4.ts';
import type { Netlink } from '#sys/netlink/types.ts';
import type { Kernel } from '#sys/types.ts';

const defaultMtu = 1500;

/** Docker's own: 02:42 and the address. Locally administered, and unique where addresses are. */
export function macOf(address: string): string {
  return ['02', '42', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');
}

/** What networks need of the host: forwarding, the uplink's MTU, and each bridge's own settings. */
export class HostSide {
  readonly #kernel: Kernel;
  readonly #sysctls: string;

  constructor(kernel: Kernel, sysctls = '/proc/sys/net') {
    this.#kernel = kernel;
    this.#sysctls = sysctls;
  }

  /** Runs `use` with a handle on the host's network namespace, or on the one pinned at `path`. */
  with<T>(use: (netlink: Netlink) => T, path?: string): T {
    const netlink = this.#kernel.netlinks.open(path);
    try {
      return use(netlink);
    } finally {
      netlink.close();
    }
  }

  enableForwarding(): void {
    this.#set('ipv4/ip_forward', '1');
  }

  /** The MTU of the link that the default route takes. */
  uplinkMtu(): number {
    return this.with((netlink) => {
      const route = netlink.routes().find((r) => r.destination === '0.0.0.0/0');
      const link = route?.link === undefined ? undefined : netlink.link(route.link);
      return link?.mtu ?? defaultMtu;
    });
  }

  /** Makes the bridge, or completes one that is there: its address, and what published ports on loopback need. */
  ensureBridge(name: string, gateway: string | undefined, mtu: number): void {
    this.with((netlink) => {
      // one of its own: else it takes that of a port, and another when that port goes, which neighbours learn late
      if (!netlink.link(name)) netlink.createBridge(name, { mtu, ...(gateway !== undefined && { mac: macOf(gateway.split('/')[0] ?? '') }) });
      if (gateway !== undefined) netlink.addAddress(name, gateway);
      netlink.setLink(name, { up: true });
    });
    this.#set(`ipv4/conf/${name}/route_localnet`, '1');
    this.disableIpv6(name);
  }

  /** Networks are IPv4 alone: a link-local address would only seem to work. A kernel without IPv6 is fine. */
  disableIpv6(link: string, namespace?: string): void {
    const path = `ipv6/conf/${link}/disable_ipv6`;
    const set = (): void => {
      if (existsSync(`${this.#sysctls}/${path}`)) this.#set(path, '1');
    };
    if (namespace === undefined) set();
    else this.#kernel.namespaces.within(namespace, set);
  }

  /** Whether another link has an address in the subnet of the bridge: another instance chose it at the same moment. */
  contested(bridge: string, subnet: string): boolean {
    const own = parseCidr(subnet);
    return this.with((netlink) => {
      const index = netlink.link(bridge)?.index;
      return netlink.addresses().some((a) => {
        const other = a.link === index ? undefined : parseCidr(a.address);
        return own !== undefined && other !== undefined && overlaps(own, other);
      });
    });
  }

  has(link: string): boolean {
    return this.with((netlink) => netlink.link(link) !== undefined);
  }

  /** Deletes the links that `isOurs` tells by their names and that are not among `known`, as a crash before the record leaves them. */
  dropStrays(isOurs: (name: string) => boolean, known: ReadonlySet<string>): void {
    this.with((netlink) => {
      for (const { name } of netlink.links()) if (isOurs(name) && !known.has(name)) netlink.deleteLink(name);
    });
  }

  deleteLink(name: string): void {
    this.with((netlink) => netlink.deleteLink(name));
  }

  /** In CIDR form: what the host's addresses and routes take. */
  taken(): string[] {
    return this.with((netlink) => [
      ...netlink.addresses().filter((a) => a.family === 4).map((a) => a.address),
      ...netlink.routes().map((r) => r.destination).filter((d) => !d.endsWith('/0')),
    ]);
  }

  #set(path: string, value: string): void {
    const file = `${this.#sysctls}/${path}`;
    if (readFileSync(file, 'utf8').trim() !== value) writeFileSync(file, value);
  }
}
