/** DNS messages over `dns-packet`: answers to a question, bounded to what the transport carries. */
import { decode, encode, type Answer, type DecodedPacket, type Question } from 'dns-packet';

export type { Answer, Question };

/** Bytes of a UDP answer to a client that offers no more (RFC 1035), and the most that is sent to one that does. */
const plainUdpBytes = 512;
const mostUdpBytes = 4096;

export const rcodes = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 } as const;
export type Rcode = (typeof rcodes)[keyof typeof rcodes];

export type Transport = 'udp' | 'tcp';

export interface Query {
  id: number;
  question: Question;
  /** Bytes that the client takes by UDP. */
  udpBytes: number;
  packet: DecodedPacket;
  raw: Buffer;
  transport: Transport;
}

/** The query in a message; undefined where it is none that can be answered. */
export function readQuery(raw: Buffer, transport: Transport): Query | undefined {
  try {
    const packet = decode(raw);
    const [question] = packet.questions ?? [];
    if (packet.type !== 'query' || !question) return undefined;
    const edns = packet.additionals?.find((a) => a.type === 'OPT') as { udpPayloadSize?: number } | undefined;
    const udpBytes = Math.min(mostUdpBytes, Math.max(plainUdpBytes, edns?.udpPayloadSize ?? plainUdpBytes));
    return { id: packet.id ?? 0, question, udpBytes, packet, raw, transport };
  } catch {
    return undefined;
  }
}

/** The bytes of an answer. */
export function writeAnswer(query: Query, rcode: Rcode, answers: readonly Answer[], options: { authoritative?: boolean; truncated?: boolean } = {}): Buffer {
  const flags = 0x0080 | (query.packet.flag_rd ? 0x0100 : 0) | (options.authoritative ? 0x0400 : 0) | (options.truncated ? 0x0200 : 0) | rcode;
  return encode({ type: 'response', id: query.id, flags, questions: [query.question], answers: [...answers] });
}

/** Cuts an answer that is too long for UDP: the client asks again by TCP. */
export function fitUdp(query: Query, answer: Buffer): Buffer {
  if (answer.length <= query.udpBytes) return answer;
  return writeAnswer(query, rcodes.noError, [], { truncated: true });
}

/** As it is sent by TCP: its length before it, two bytes (RFC 1035, 4.2.2). */
export function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
