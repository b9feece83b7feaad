/** Messages of nfnetlink_conntrack (linux/netfilter/nfnetlink_conntrack.h). */
import { addressText } from '../ip.ts';
import { attribute, decodeAttributes } from '../netlink/codec.ts';
import type { LedConnection } from './types.ts';

const SUBSYS_CTNETLINK = 1;
export const CT_GET = (SUBSYS_CTNETLINK << 8) | 1;
export const CT_DELETE = (SUBSYS_CTNETLINK << 8) | 2;

const AF_INET = 2;
const headerSize = 4;
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, STATUS: 3, PROTOINFO: 4, ID: 12, ZONE: 18 } as const;
const TUPLE = { IP: 1, PROTO: 2 } as const;
const IP = { V4_SRC: 1, V4_DST: 2 } as const;
const PROTO = { NUM: 1, SRC_PORT: 2, DST_PORT: 3 } as const;
const PROTOINFO_TCP = 1;
const PROTOINFO_TCP_STATE = 1;
/** linux/netfilter/nf_conntrack_tcp.h */
const TCP_CONNTRACK = { SYN_SENT: 1, ESTABLISHED: 3, SYN_SENT2: 9 } as const;
const IPS_SEEN_REPLY = 1 << 1;
const IPS_DST_NAT = 1 << 5;
const protocols: Readonly<Record<number, LedConnection['protocol']>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** A connection, and the attributes that name it to the kernel. */
export interface Tracked extends LedConnection {
  key: Buffer;
}

/** struct nfgenmsg. */
function header(): Buffer {
  return Buffer.from([AF_INET, 0, 0, 0]);
}

export function allConnections(): Buffer {
  return header();
}

export function oneConnection({ key }: Tracked): Buffer {
  return Buffer.concat([header(), key]);
}

/** Undefined for what was not led elsewhere, and for protocols without ports. */
export function decodeTracked(payload: Buffer): Tracked | undefined {
  const attributes = decodeAttributes(payload.subarray(headerSize));
  const status = attributes.get(CTA.STATUS)?.readUInt32BE(0) ?? 0;
  const original = attributes.get(CTA.TUPLE_ORIG);
  const reply = attributes.get(CTA.TUPLE_REPLY);
  if ((status & IPS_DST_NAT) === 0 || !original || !reply) return undefined;
  const [there, back] = [tupleOf(original), tupleOf(reply)];
  const protocol = protocols[there?.protocol ?? 0];
  if (!there || !back || !protocol) return undefined;
  const key = [CTA.TUPLE_ORIG, CTA.ID, CTA.ZONE].flatMap((type) => {
    const value = attributes.get(type);
    return value ? [type === CTA.TUPLE_ORIG ? attribute(type, [value]) : attribute(type, value)] : [];
  });
  return { protocol, source: there.source, destination: there.destination, backend: back.source, phase: phaseOf(attributes.get(CTA.PROTOINFO), status), key: Buffer.concat(key) };
}

/** A client that uses its port again finds the entry of before, which says `answered` until the kernel sees the new SYN: the state says more. */
function phaseOf(info: Buffer | undefined, status: number): LedConnection['phase'] {
  const state = decodeAttributes(decodeAttributes(info ?? Buffer.alloc(0)).get(PROTOINFO_TCP) ?? Buffer.alloc(0)).get(PROTOINFO_TCP_STATE)?.[0];
  if (state === undefined) return (status & IPS_SEEN_REPLY) === 0 ? 'new' : 'open';
  if (state <= TCP_CONNTRACK.SYN_SENT || state === TCP_CONNTRACK.SYN_SENT2) return 'new';
  return state <= TCP_CONNTRACK.ESTABLISHED ? 'open' : 'ending';
}

function tupleOf(bytes: Buffer): { protocol: number; source: LedConnection['source']; destination: LedConnection['source'] } | undefined {
  const tuple = decodeAttributes(bytes);
  const ip = decodeAttributes(tuple.get(TUPLE.IP) ?? Buffer.alloc(0));
  const proto = decodeAttributes(tuple.get(TUPLE.PROTO) ?? Buffer.alloc(0));
  const [from, to] = [ip.get(IP.V4_SRC), ip.get(IP.V4_DST)];
  const [sourcePort, destinationPort] = [proto.get(PROTO.SRC_PORT), proto.get(PROTO.DST_PORT)];
  if (!from || !to || !sourcePort || !destinationPort) return undefined;
  return {
    protocol: proto.get(PROTO.NUM)?.[0] ?? 0,
    source: { address: addressText(from), port: sourcePort.readUInt16BE(0) },
    destination: { address: addressText(to), port: destinationPort.readUInt16BE(0) },
  };
}
