/** RTM_*ADDR, RTM_*ROUTE and RTM_*NEIGH messages (rtnetlink(7)). */
import { Fault } from '#lib/errors.ts';
import { addressBytes, addressText, networkOf, parsePrefix, prefixText } from '../ip.ts';
import { attribute, decodeAttributes, numberOf, u32 } from './codec.ts';
import { macBytes } from './link-codec.ts';
import type { Address, Route } from './types.ts';

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;

const AF_INET = 2;
const AF_INET6 = 10;
const AF_BRIDGE = 7;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4 } as const;
const IFA_F_NODAD = 0x02;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PREFSRC: 7, MULTIPATH: 9, TABLE: 15 } as const;
const NDA = { DST: 1, LLADDR: 2 } as const;
const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;
const RTNH_F_ONLINK = 4;
const NUD_PERMANENT = 0x80;
const NTF_SELF = 0x02;
const NTF_MASTER = 0x04;
const scopeLink = 253;
const scopeHost = 254;

const familyOf = (bytes: Uint8Array): number => (bytes.length === 4 ? AF_INET : AF_INET6);

/** An IPv6 address is there at once: duplicates are ruled out by who gives addresses out. */
export function addressMessage(link: number, text: string): Buffer {
  const { address, length } = parsePrefix(text);
  const header = Buffer.alloc(8);
  header[0] = familyOf(address);
  header[1] = length;
  if (address.length === 16) header[2] = IFA_F_NODAD;
  if (address[0] === 127 && address.length === 4) header[3] = scopeHost;
  header.writeUInt32LE(link, 4);
  const attributes = [attribute(IFA.LOCAL, address), attribute(IFA.ADDRESS, address)];
  if (address.length === 4 && length < 31) attributes.push(attribute(IFA.BROADCAST, broadcastOf(address, length)));
  return Buffer.concat([header, ...attributes]);
}

function broadcastOf(address: Buffer, length: number): Buffer {
  const mask = Buffer.from([0, 1, 2, 3].map((i) => 0xff >> Math.min(8, Math.max(0, length - i * 8))));
  return Buffer.from(address.map((byte, i) => byte | (mask[i] ?? 0)));
}

export function allAddresses(): Buffer {
  return Buffer.alloc(8);
}

export function decodeAddress(payload: Buffer): Address | undefined {
  const attributes = decodeAttributes(payload.subarray(8));
  const bytes = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS);
  if (!bytes) return undefined;
  const scope = payload[3] === scopeHost ? 'host' : payload[3] === scopeLink ? 'link' : 'global';
  return { link: payload.readUInt32LE(4), address: prefixText(bytes, payload[1] ?? 0), family: payload[0] === AF_INET ? 4 : 6, scope };
}

export interface RouteMessage {
  destination: string;
  via?: string;
  linkIndex?: number;
  source?: string;
  onlink?: boolean;
}

export function routeMessage(route: RouteMessage): Buffer {
  const prefix = parsePrefix(route.destination);
  const via = route.via === undefined ? undefined : addressBytes(route.via);
  const source = route.source === undefined ? undefined : addressBytes(route.source);
  for (const other of [via, source]) {
    if (other && other.length !== prefix.address.length) throw new Fault('invalid', `the route to ${route.destination} mixes IPv4 and IPv6`);
  }
  const header = Buffer.alloc(12);
  header[0] = familyOf(prefix.address);
  header[1] = prefix.length;
  header[4] = RT_TABLE_MAIN;
  header[5] = RTPROT_STATIC;
  header[6] = via || prefix.family === 6 ? 0 : scopeLink;
  header[7] = RTN_UNICAST;
  if (route.onlink) header.writeUInt32LE(RTNH_F_ONLINK, 8);
  const attributes = prefix.length > 0 ? [attribute(RTA.DST, networkOf(prefix))] : [];
  if (via) attributes.push(attribute(RTA.GATEWAY, via));
  if (source) attributes.push(attribute(RTA.PREFSRC, source));
  if (route.linkIndex !== undefined) attributes.push(attribute(RTA.OIF, u32(route.linkIndex)));
  return Buffer.concat([header, ...attributes]);
}

/** Names a route by its destination alone: any protocol, scope and way. */
export function routeKey(destination: string): Buffer {
  const prefix = parsePrefix(destination);
  const header = Buffer.alloc(12);
  header[0] = familyOf(prefix.address);
  header[1] = prefix.length;
  header[4] = RT_TABLE_MAIN;
  header[6] = 255; // RT_SCOPE_NOWHERE: any
  return Buffer.concat([header, ...(prefix.length > 0 ? [attribute(RTA.DST, networkOf(prefix))] : [])]);
}

export function allRoutes(): Buffer {
  return Buffer.alloc(12);
}

/** Undefined for what is not a unicast route of a table other than `local`. */
export function decodeRoute(payload: Buffer): Route | undefined {
  const family = payload[0];
  const attributes = decodeAttributes(payload.subarray(12));
  const table = numberOf(attributes.get(RTA.TABLE)) ?? payload[4];
  if ((family !== AF_INET && family !== AF_INET6) || table === RT_TABLE_LOCAL || payload[7] !== RTN_UNICAST) return undefined;
  const anywhere = Buffer.alloc(family === AF_INET ? 4 : 16);
  const route: Route = { destination: prefixText(attributes.get(RTA.DST) ?? anywhere, payload[1] ?? 0) };
  const first = firstHop(attributes.get(RTA.MULTIPATH));
  const via = attributes.get(RTA.GATEWAY) ?? first?.via;
  const link = numberOf(attributes.get(RTA.OIF)) ?? first?.link;
  const source = attributes.get(RTA.PREFSRC);
  if (via) route.via = addressText(via);
  if (link !== undefined) route.link = link;
  if (source) route.source = addressText(source);
  return route;
}

/** struct rtnexthop: of a route with several ways, the first. */
function firstHop(bytes: Buffer | undefined): { link: number; via?: Buffer } | undefined {
  if (!bytes || bytes.length < 8) return undefined;
  const via = decodeAttributes(bytes.subarray(8, bytes.readUInt16LE(0))).get(RTA.GATEWAY);
  return { link: bytes.readInt32LE(4), via };
}

/** The entries that one `addNeighbour` stands for: a forwarding entry, a neighbour entry, or both. */
export function neighbourMessages(link: number, entry: { mac: string; address?: string; forwardTo?: string }): Buffer[] {
  const messages: Buffer[] = [];
  const mac = attribute(NDA.LLADDR, macBytes(entry.mac));
  if (entry.forwardTo !== undefined) messages.push(Buffer.concat([neighbourHeader(AF_BRIDGE, link, NTF_SELF), mac, attribute(NDA.DST, addressBytes(entry.forwardTo))]));
  else if (entry.address === undefined) messages.push(Buffer.concat([neighbourHeader(AF_BRIDGE, link, NTF_MASTER), mac]));
  if (entry.address !== undefined) {
    const address = addressBytes(entry.address);
    messages.push(Buffer.concat([neighbourHeader(familyOf(address), link, 0), mac, attribute(NDA.DST, address)]));
  }
  return messages;
}

function neighbourHeader(family: number, link: number, flags: number): Buffer {
  const header = Buffer.alloc(12);
  header[0] = family;
  header.writeInt32LE(link, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  header[10] = flags;
  return header;
}
