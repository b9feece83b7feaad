import { Fault } from '#lib/errors.ts';
import { addressBytes, networkOf, parsePrefix, prefixText } from '../ip.ts';
import { checkName, macBytes } from './link-codec.ts';
import type { Address, Link, Netlink, Netlinks, Route } from './types.ts';

interface Neighbour {
  link: number;
  mac: string;
  address?: string;
  forwardTo?: string;
}

interface World {
  links: Link[];
  addresses: Address[];
  routes: Route[];
  neighbours: Neighbour[];
  hairpin: Set<number>;
}

export interface FakeNetlinks extends Netlinks {
  /** Each change, as text, with `path: ` before it where it is not the host's. */
  calls: string[];
  /** The state of a namespace, the host's where no path is given. */
  world(path?: string): World;
  /** The namespace is gone: its links are, and their peers. */
  drop(path: string): void;
}

/** Links, addresses and routes in memory. `exists` says which namespaces there are. */
export function fakeNetlinks(exists: (path: string) => boolean = () => true): FakeNetlinks {
  const worlds = new Map<string, World>();
  const calls: string[] = [];
  let nextIndex = 1;

  const world = (path = ''): World => {
    let found = worlds.get(path);
    if (!found) {
      found = { links: [], addresses: [], routes: [], neighbours: [], hairpin: new Set() };
      worlds.set(path, found);
      found.links.push({ index: nextIndex++, name: 'lo', kind: '', mac: '00:00:00:00:00:00', mtu: 65536, up: true });
    }
    return found;
  };
  const fake: FakeNetlinks = {
    calls,
    world,
    drop(path) {
      for (const link of [...(worlds.get(path)?.links ?? [])]) removeLink(worlds, link);
      worlds.delete(path);
    },
    open(path) {
      const open = (to = ''): World => {
        if (to !== '' && !exists(to)) throw new Fault('not-found', `enter the net namespace at ${to}: no such file or directory (ENOENT)`, { details: { errno: 'ENOENT' } });
        return world(to);
      };
      const record = (text: string): void => void calls.push(path === undefined ? text : `${path}: ${text}`);
      return new FakeNetlink(open(path), open, worlds, record, () => nextIndex++);
    },
  };
  return fake;
}

function removeLink(worlds: Map<string, World>, link: Link): void {
  for (const world of worlds.values()) {
    const gone = world.links.filter((each) => each === link || (link.kind === 'veth' && each.kind === 'veth' && each.index === link.peerIndex));
    for (const each of gone) {
      world.links.splice(world.links.indexOf(each), 1);
      world.addresses = world.addresses.filter((address) => address.link !== each.index);
      world.routes = world.routes.filter((route) => route.link !== each.index);
      world.neighbours = world.neighbours.filter((neighbour) => neighbour.link !== each.index);
      for (const other of world.links) if (other.master === each.index) delete other.master;
    }
  }
}

class FakeNetlink implements Netlink {
  #world: World;
  #open: (path?: string) => World;
  #worlds: Map<string, World>;
  #record: (text: string) => void;
  #takeIndex: () => number;

  constructor(world: World, open: (path?: string) => World, worlds: Map<string, World>, record: (text: string) => void, takeIndex: () => number) {
    this.#world = world;
    this.#open = open;
    this.#worlds = worlds;
    this.#record = record;
    this.#takeIndex = takeIndex;
  }

  links(): Link[] {
    return this.#world.links.map((link) => ({ ...link }));
  }

  link(wanted: string | number): Link | undefined {
    return this.links().find(({ name, index }) => (typeof wanted === 'number' ? index === wanted : name === checkName(wanted)));
  }

  createBridge(name: string, options: { mtu?: number; mac?: string } = {}): void {
    this.#record(`create bridge ${name}`);
    this.#add(this.#world, name, 'bridge', options);
  }

  createVeth(name: string, peer: { name: string; namespace?: string; mac?: string }, options: { mtu?: number } = {}): void {
    this.#record(`create veth ${name} ${peer.name}${peer.namespace === undefined ? '' : ` in ${peer.namespace}`}`);
    const other = peer.namespace === undefined ? this.#world : this.#open(peer.namespace);
    if (other.links.some((link) => link.name === peer.name)) throw taken(peer.name);
    const near = this.#add(this.#world, name, 'veth', options);
    const far = this.#add(other, peer.name, 'veth', { ...options, mac: peer.mac });
    near.peerIndex = far.index;
    far.peerIndex = near.index;
  }

  createVxlan(name: string, options: { id: number; local: string; port: number; device?: string; mtu?: number }): void {
    this.#record(`create vxlan ${name} id ${options.id} local ${options.local} port ${options.port}`);
    addressBytes(options.local);
    const device = options.device === undefined ? undefined : this.#need(options.device);
    const link = this.#add(this.#world, name, 'vxlan', options);
    if (device) link.peerIndex = device.index;
  }

  createDummy(name: string): void {
    this.#record(`create dummy ${name}`);
    this.#add(this.#world, name, 'dummy', {});
  }

  deleteLink(name: string): void {
    this.#record(`delete link ${name}`);
    const link = this.#world.links.find((each) => each.name === checkName(name));
    if (link) removeLink(this.#worlds, link);
  }

  setLink(name: string, change: Parameters<Netlink['setLink']>[1]): void {
    this.#record(`set link ${name} ${JSON.stringify(change)}`);
    const link = this.#need(name);
    if (change.master) link.master = this.#need(change.master).index;
    if (change.master === null) delete link.master;
    if (change.mac !== undefined) macBytes(change.mac);
    link.up = change.up ?? link.up;
    link.mtu = change.mtu ?? link.mtu;
    link.mac = change.mac ?? link.mac;
    if (change.rename !== undefined) link.name = checkName(change.rename);
    if (change.hairpin === true) this.#world.hairpin.add(link.index);
    if (change.hairpin === false) this.#world.hairpin.delete(link.index);
  }

  addresses(): Address[] {
    return this.#world.addresses.map((address) => ({ ...address }));
  }

  addAddress(link: string, address: string): void {
    this.#record(`add address ${address} to ${link}`);
    const { index } = this.#need(link);
    const prefix = parsePrefix(address);
    const text = prefixText(prefix.address, prefix.length);
    const loopback = prefix.family === 4 && prefix.address[0] === 127;
    if (this.#world.addresses.some((each) => each.link === index && each.address === text)) return;
    this.#world.addresses.push({ link: index, address: text, family: prefix.family, scope: loopback ? 'host' : 'global' });
  }

  deleteAddress(link: string, address: string): void {
    this.#record(`delete address ${address} of ${link}`);
    const { index } = this.#need(link);
    const prefix = parsePrefix(address);
    const text = prefixText(prefix.address, prefix.length);
    this.#world.addresses = this.#world.addresses.filter((each) => each.link !== index || each.address !== text);
  }

  /** With the routes that the addresses of links that are up bring. */
  routes(): Route[] {
    const connected = this.#world.addresses.flatMap((address): Route[] => {
      const prefix = parsePrefix(address.address);
      const whole = prefix.length === prefix.address.length * 8;
      if (whole || address.scope === 'host' || !this.#world.links.find((link) => link.index === address.link)?.up) return [];
      return [{ destination: prefixText(networkOf(prefix), prefix.length), link: address.link }];
    });
    return [...connected, ...this.#world.routes.map((route) => ({ ...route }))];
  }

  addRoute(route: Parameters<Netlink['addRoute']>[0]): void {
    this.#record(`add route ${route.destination}${route.via === undefined ? '' : ` via ${route.via}`}${route.link === undefined ? '' : ` dev ${route.link}`}`);
    const prefix = parsePrefix(route.destination);
    const destination = prefixText(networkOf(prefix), prefix.length);
    const link = route.link === undefined ? undefined : this.#need(route.link).index;
    const via = route.via;
    if (via !== undefined && link === undefined && !this.routes().some((each) => each.via === undefined && covers(each.destination, via))) {
      throw new Fault('unavailable', `add route to ${route.destination} via ${via}: the gateway cannot be reached (ENETUNREACH)`, { details: { errno: 'ENETUNREACH' } });
    }
    this.#world.routes = this.#world.routes.filter((each) => each.destination !== destination);
    const added: Route = { destination };
    if (via !== undefined) added.via = via;
    if (link !== undefined) added.link = link;
    if (route.source !== undefined) added.source = route.source;
    this.#world.routes.push(added);
  }

  deleteRoute(destination: string): void {
    this.#record(`delete route ${destination}`);
    const prefix = parsePrefix(destination);
    const text = prefixText(networkOf(prefix), prefix.length);
    this.#world.routes = this.#world.routes.filter((route) => route.destination !== text);
  }

  addNeighbour(link: string, entry: Omit<Neighbour, 'link'>): void {
    this.#record(`add neighbour ${JSON.stringify(entry)} to ${link}`);
    const { index } = this.#need(link);
    macBytes(entry.mac);
    this.#world.neighbours = this.#world.neighbours.filter((each) => !sameNeighbour(each, index, entry));
    this.#world.neighbours.push({ link: index, ...entry });
  }

  deleteNeighbour(link: string, entry: Omit<Neighbour, 'link'>): void {
    this.#record(`delete neighbour ${JSON.stringify(entry)} of ${link}`);
    const { index } = this.#need(link);
    this.#world.neighbours = this.#world.neighbours.filter((each) => !sameNeighbour(each, index, entry));
  }

  close(): void {}

  #add(world: World, name: string, kind: string, options: { mtu?: number; mac?: string }): Link {
    if (world.links.some((link) => link.name === checkName(name))) throw taken(name);
    if (options.mac !== undefined) macBytes(options.mac);
    const index = this.#takeIndex();
    const mac = options.mac ?? `02:00:00:00:${hexByte(index >> 8)}:${hexByte(index)}`;
    const link: Link = { index, name, kind, mac, mtu: options.mtu ?? 1500, up: false };
    world.links.push(link);
    return link;
  }

  #need(name: string): Link {
    const link = this.#world.links.find((each) => each.name === checkName(name));
    if (!link) throw new Fault('not-found', `there is no network link ${name}`, { details: { errno: 'ENODEV' } });
    return link;
  }
}

function taken(name: string): Fault {
  return new Fault('already-exists', `create link ${name}: it exists already (EEXIST)`, { details: { errno: 'EEXIST' } });
}

function sameNeighbour(each: Neighbour, link: number, entry: Omit<Neighbour, 'link'>): boolean {
  if (each.link !== link || each.mac !== entry.mac || each.address !== entry.address) return false;
  return entry.mac !== '00:00:00:00:00:00' || each.forwardTo === entry.forwardTo;
}

function covers(destination: string, address: string): boolean {
  const prefix = parsePrefix(destination);
  const bytes = addressBytes(address);
  if (bytes.length !== prefix.address.length) return false;
  return networkOf({ ...prefix, address: bytes }).equals(networkOf(prefix));
}

function hexByte(value: number): string {
  return (value & 0xff).toString(16).padStart(2, '0');
}
