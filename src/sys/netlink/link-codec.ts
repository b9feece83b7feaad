/** RTM_*LINK messages (rtnetlink(7)). */
import { Fault } from '#lib/errors.ts';
import { addressBytes } from '../ip.ts';
import { attribute, decodeAttributes, numberOf, textOf, u16be, u32, u8, zString } from './codec.ts';
import type { Link } from './types.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;

const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINK: 5, MASTER: 10, PROTINFO: 12, LINKINFO: 18, NET_NS_FD: 28 } as const;
const INFO_KIND = 1;
const INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const VXLAN = { ID: 1, LINK: 3, LOCAL: 4, LEARNING: 7, PORT: 15, LOCAL6: 17 } as const;
const IFLA_BRPORT_MODE = 4;
const IFF_UP = 0x1;
const headerSize = 16;

/** struct ifinfomsg. */
function header(fields: { family?: number; index?: number; flags?: number; change?: number } = {}): Buffer {
  const bytes = Buffer.alloc(headerSize);
  bytes[0] = fields.family ?? 0;
  bytes.writeInt32LE(fields.index ?? 0, 4);
  bytes.writeUInt32LE(fields.flags ?? 0, 8);
  bytes.writeUInt32LE(fields.change ?? 0, 12);
  return bytes;
}

/** An interface name as the kernel takes it: 1 to 15 bytes, no slash, space or colon. */
export function checkName(name: string): string {
  if (/^[^\s/:\0]+$/.test(name) && Buffer.byteLength(name) <= 15 && name !== '.' && name !== '..') return name;
  throw new Fault('invalid', `"${name}" is not a name for a network interface; use 1 to 15 bytes without slash, space or colon`);
}

export function macBytes(text: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) throw new Fault('invalid', `"${text}" is not a MAC address; give one like 02:42:ac:11:00:02`);
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

export function macText(bytes: Uint8Array | undefined): string {
  return bytes ? Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') : '';
}

export interface NewLink {
  name: string;
  mtu?: number;
  mac?: string;
}

function common(link: NewLink): Buffer[] {
  const attributes = [attribute(IFLA.IFNAME, zString(checkName(link.name)))];
  if (link.mtu !== undefined) attributes.push(attribute(IFLA.MTU, u32(link.mtu)));
  if (link.mac !== undefined) attributes.push(attribute(IFLA.ADDRESS, macBytes(link.mac)));
  return attributes;
}

export function newLink(link: NewLink, kind: string, data: readonly Buffer[] = []): Buffer {
  const info = [attribute(INFO_KIND, Buffer.from(kind))];
  if (data.length > 0) info.push(attribute(INFO_DATA, data));
  return Buffer.concat([header(), ...common(link), attribute(IFLA.LINKINFO, info)]);
}

/** `namespaceFd` is where the peer is made; undefined is beside its pair. */
export function newVeth(link: NewLink, peer: NewLink, namespaceFd?: number): Buffer {
  const attributes = common(peer);
  if (namespaceFd !== undefined) attributes.push(attribute(IFLA.NET_NS_FD, u32(namespaceFd)));
  return newLink(link, 'veth', [attribute(VETH_INFO_PEER, Buffer.concat([header(), ...attributes]))]);
}

/** Without learning: what is where is told by forwarding entries. */
export function newVxlan(link: NewLink, options: { id: number; local: string; port: number; deviceIndex?: number }): Buffer {
  if (!Number.isInteger(options.id) || options.id < 0 || options.id >= 1 << 24) throw new Fault('invalid', `${options.id} is not a VXLAN identifier; give 0 to 16777215`);
  const local = addressBytes(options.local);
  const data = [
    attribute(VXLAN.ID, u32(options.id)),
    attribute(local.length === 4 ? VXLAN.LOCAL : VXLAN.LOCAL6, local),
    attribute(VXLAN.PORT, u16be(options.port)),
    attribute(VXLAN.LEARNING, u8(0)),
  ];
  if (options.deviceIndex !== undefined) data.push(attribute(VXLAN.LINK, u32(options.deviceIndex)));
  return newLink(link, 'vxlan', data);
}

export function namedLink(name: string): Buffer {
  return Buffer.concat([header(), attribute(IFLA.IFNAME, zString(checkName(name)))]);
}

export function indexedLink(index: number): Buffer {
  return header({ index });
}

export function allLinks(): Buffer {
  return header();
}

/** `masterIndex` 0 releases the link from its bridge. */
export function changedLink(index: number, change: { up?: boolean; mtu?: number; mac?: string; masterIndex?: number; rename?: string }): Buffer {
  const attributes: Buffer[] = [];
  if (change.mtu !== undefined) attributes.push(attribute(IFLA.MTU, u32(change.mtu)));
  if (change.mac !== undefined) attributes.push(attribute(IFLA.ADDRESS, macBytes(change.mac)));
  if (change.masterIndex !== undefined) attributes.push(attribute(IFLA.MASTER, u32(change.masterIndex)));
  if (change.rename !== undefined) attributes.push(attribute(IFLA.IFNAME, zString(checkName(change.rename))));
  const flags = change.up === undefined ? {} : { flags: change.up ? IFF_UP : 0, change: IFF_UP };
  return Buffer.concat([header({ index, ...flags }), ...attributes]);
}

/** A bridge port's hairpin mode, which goes by the bridge family. */
export function changedPort(index: number, hairpin: boolean): Buffer {
  const AF_BRIDGE = 7;
  return Buffer.concat([header({ family: AF_BRIDGE, index }), attribute(IFLA.PROTINFO, [attribute(IFLA_BRPORT_MODE, u8(hairpin ? 1 : 0))])]);
}

export function decodeLink(payload: Buffer): Link {
  const attributes = decodeAttributes(payload.subarray(headerSize));
  const info = decodeAttributes(attributes.get(IFLA.LINKINFO) ?? Buffer.alloc(0));
  const link: Link = {
    index: payload.readInt32LE(4),
    name: textOf(attributes.get(IFLA.IFNAME)),
    kind: textOf(info.get(INFO_KIND)),
    mac: macText(attributes.get(IFLA.ADDRESS)),
    mtu: numberOf(attributes.get(IFLA.MTU)) ?? 0,
    up: (payload.readUInt32LE(8) & IFF_UP) !== 0,
  };
  const master = numberOf(attributes.get(IFLA.MASTER));
  const peer = numberOf(attributes.get(IFLA.LINK));
  if (master) link.master = master;
  if (peer) link.peerIndex = peer;
  return link;
}
