/** Links, addresses and routes of one network namespace, by rtnetlink. */
export interface Netlinks {
  /** A handle on the namespace pinned at `path` (of this process where undefined). Close it. */
  open(path?: string): Netlink;
}

export interface Netlink {
  links(): Link[];
  /** By its name or index. */
  link(link: string | number): Link | undefined;
  createBridge(name: string, options?: { mtu?: number; mac?: string }): void;
  /** A veth pair; the peer is made inside `peer.namespace` (a pinned path) under its final name. */
  createVeth(name: string, peer: { name: string; namespace?: string; mac?: string }, options?: { mtu?: number }): void;
  createVxlan(name: string, options: { id: number; local: string; port: number; device?: string; mtu?: number }): void;
  createDummy(name: string): void;
  /** Deletes a link; absent is fine. */
  deleteLink(name: string): void;
  /** Changes that are given, others stay. `master: null` releases it. */
  setLink(name: string, change: { up?: boolean; mtu?: number; mac?: string; master?: string | null; hairpin?: boolean; rename?: string }): void;
  addresses(): Address[];
  /** Adds `address` in CIDR form; present is fine. */
  addAddress(link: string, address: string): void;
  /** Absent is fine. */
  deleteAddress(link: string, address: string): void;
  /** The routes of all tables but `local`. */
  routes(): Route[];
  /** Adds or replaces a route. */
  addRoute(route: { destination: string; via?: string; link?: string; source?: string; onlink?: boolean }): void;
  /** Deletes the route of the main table; absent is fine. */
  deleteRoute(destination: string): void;
  /**
   * Adds or replaces a permanent forwarding entry (with `forwardTo`: of a vxlan link; with neither: of a bridge
   * port), and with `address` a neighbour entry. The MAC 00:00:00:00:00:00 may be forwarded to many.
   */
  addNeighbour(link: string, entry: { mac: string; address?: string; forwardTo?: string }): void;
  /** Deletes what `addNeighbour` with the same entry added; absent is fine. */
  deleteNeighbour(link: string, entry: { mac: string; address?: string; forwardTo?: string }): void;
  close(): void;
}

export interface Link {
  index: number;
  name: string;
  kind: string; // 'bridge', 'veth', 'vxlan', … or ''
  mac: string;
  mtu: number;
  up: boolean;
  master?: number;
  peerIndex?: number;
}

export interface Address {
  link: number;
  /** CIDR form, `10.0.0.1/24`. */
  address: string;
  family: 4 | 6;
  scope: 'global' | 'link' | 'host';
}

export interface Route {
  /** CIDR form; the default route is `0.0.0.0/0` or `::/0`. */
  destination: string;
  via?: string;
  link?: number;
  source?: string;
}
