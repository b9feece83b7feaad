import { Fault, isFault } from '#lib/errors.ts';
import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf, faulting } from '../errno.ts';
import { inNamespace } from '../netns/linux.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './codec.ts';
import * as links from './link-codec.ts';
import * as routes from './route-codec.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.ts';
import type { Address, Link, Netlink, Netlinks, Route } from './types.ts';

const everyMac = '00:00:00:00:00:00';

export function linuxNetlinks(): Netlinks {
  const open = (): NetlinkSocket => new NetlinkSocket(NETLINK_ROUTE);
  return { open: (path) => new LinuxNetlink(path === undefined ? open() : inNamespace('net', path, open)) };
}

class LinuxNetlink implements Netlink {
  #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  links(): Link[] {
    return this.#socket.dump(links.RTM_GETLINK, links.allLinks(), 'list links').map((message) => links.decodeLink(message.payload));
  }

  link(link: string | number): Link | undefined {
    try {
      const wanted = typeof link === 'number' ? links.indexedLink(link) : links.namedLink(link);
      const [message] = this.#socket.request(links.RTM_GETLINK, 0, wanted, `look up link ${link}`);
      return message && links.decodeLink(message.payload);
    } catch (error) {
      if (isFault(error, 'not-found')) return undefined;
      throw error;
    }
  }

  createBridge(name: string, options: { mtu?: number; mac?: string } = {}): void {
    this.#create(links.newLink({ name, ...options }, 'bridge'), `create bridge ${name}`);
  }

  createVeth(name: string, peer: { name: string; namespace?: string; mac?: string }, options: { mtu?: number } = {}): void {
    const what = `create veth pair ${name} and ${peer.name}`;
    const path = peer.namespace;
    const fd = path === undefined ? undefined : faulting(what, () => openSync(path, constants.O_RDONLY));
    try {
      this.#create(links.newVeth({ name, mtu: options.mtu }, { name: peer.name, mac: peer.mac, mtu: options.mtu }, fd), what);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  createVxlan(name: string, options: { id: number; local: string; port: number; device?: string; mtu?: number }): void {
    const { id, local, port, device, mtu } = options;
    const deviceIndex = device === undefined ? undefined : this.#index(device);
    this.#create(links.newVxlan({ name, mtu }, { id, local, port, deviceIndex }), `create vxlan ${name}`);
  }

  createDummy(name: string): void {
    this.#create(links.newLink({ name }, 'dummy'), `create dummy link ${name}`);
  }

  deleteLink(name: string): void {
    try {
      this.#socket.request(links.RTM_DELLINK, 0, links.namedLink(name), `delete link ${name}`);
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  }

  setLink(name: string, change: Parameters<Netlink['setLink']>[1]): void {
    const index = this.#index(name);
    const { master, hairpin, ...rest } = change;
    const masterIndex = master === undefined ? undefined : master === null ? 0 : this.#index(master);
    if (masterIndex !== undefined || Object.values(rest).some((value) => value !== undefined)) {
      this.#socket.request(links.RTM_SETLINK, 0, links.changedLink(index, { ...rest, masterIndex }), `change link ${name}`);
    }
    if (hairpin !== undefined) this.#socket.request(links.RTM_SETLINK, 0, links.changedPort(index, hairpin), `change bridge port ${name}`);
  }

  addresses(): Address[] {
    return present(this.#socket.dump(routes.RTM_GETADDR, routes.allAddresses(), 'list addresses').map((message) => routes.decodeAddress(message.payload)));
  }

  addAddress(link: string, address: string): void {
    const message = routes.addressMessage(this.#index(link), address);
    this.#socket.request(routes.RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, message, `add address ${address} to ${link}`);
  }

  deleteAddress(link: string, address: string): void {
    const message = routes.addressMessage(this.#index(link), address);
    try {
      this.#socket.request(routes.RTM_DELADDR, 0, message, `delete address ${address} of ${link}`);
    } catch (error) {
      if (errnoOf(error) !== 'EADDRNOTAVAIL') throw error;
    }
  }

  routes(): Route[] {
    return present(this.#socket.dump(routes.RTM_GETROUTE, routes.allRoutes(), 'list routes').map((message) => routes.decodeRoute(message.payload)));
  }

  addRoute(route: Parameters<Netlink['addRoute']>[0]): void {
    const { link, ...rest } = route;
    const message = routes.routeMessage({ ...rest, linkIndex: link === undefined ? undefined : this.#index(link) });
    this.#socket.request(routes.RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, message, `add route to ${route.destination}${route.via === undefined ? '' : ` via ${route.via}`}`);
  }

  deleteRoute(destination: string): void {
    try {
      this.#socket.request(routes.RTM_DELROUTE, 0, routes.routeKey(destination), `delete route to ${destination}`);
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  }

  addNeighbour(link: string, entry: { mac: string; address?: string; forwardTo?: string }): void {
    const index = this.#index(link);
    // The all-zero entry lists every machine that unknown destinations are sent to: it grows, others are replaced.
    const how = entry.mac === everyMac ? NLM_F_APPEND : NLM_F_REPLACE;
    for (const message of routes.neighbourMessages(index, entry)) {
      try {
        this.#socket.request(routes.RTM_NEWNEIGH, NLM_F_CREATE | how, message, `add neighbour ${entry.mac} to ${link}`);
      } catch (error) {
        if (!isFault(error, 'already-exists')) throw error;
      }
    }
  }

  deleteNeighbour(link: string, entry: { mac: string; address?: string; forwardTo?: string }): void {
    for (const message of routes.neighbourMessages(this.#index(link), entry)) {
      try {
        this.#socket.request(routes.RTM_DELNEIGH, 0, message, `delete neighbour ${entry.mac} of ${link}`);
      } catch (error) {
        if (!isFault(error, 'not-found')) throw error;
      }
    }
  }

  close(): void {
    this.#socket.close();
  }

  #create(message: Buffer, what: string): void {
    this.#socket.request(links.RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, message, what);
  }

  #index(name: string): number {
    const link = this.link(name);
    if (!link) throw new Fault('not-found', `there is no network link ${name}`, { details: { errno: 'ENODEV' } });
    return link.index;
  }
}

function present<T>(values: readonly (T | undefined)[]): T[] {
  return values.filter((value) => value !== undefined);
}
