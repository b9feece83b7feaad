/** Netlink messages and their attributes (netlink(7)); fields are in the host's order, little-endian. */

export const NLM_F_REQUEST = 0x1;
export const NLM_F_MULTI = 0x2;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const headerSize = 16;
const attributeHeader = 4;
const NLA_TYPE_MASK = 0x3fff;
export const NLA_F_NESTED = 0x8000;

export interface Message {
  type: number;
  flags: number;
  sequence: number;
  payload: Buffer;
}

export function encodeMessage(message: Message): Buffer {
  const bytes = Buffer.alloc(headerSize + message.payload.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(message.type, 4);
  bytes.writeUInt16LE(message.flags, 6);
  bytes.writeUInt32LE(message.sequence, 8);
  message.payload.copy(bytes, headerSize);
  return bytes;
}

/** The messages of one datagram; a length that does not fit ends it. */
export function decodeMessages(datagram: Buffer): Message[] {
  const messages: Message[] = [];
  let at = 0;
  while (at + headerSize <= datagram.length) {
    const length = datagram.readUInt32LE(at);
    if (length < headerSize || at + length > datagram.length) break;
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      payload: datagram.subarray(at + headerSize, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** One attribute; nested ones are its value. */
export function attribute(type: number, value: Uint8Array | readonly Buffer[]): Buffer {
  const nested = !(value instanceof Uint8Array);
  const content = nested ? Buffer.concat(value) : value;
  const bytes = Buffer.alloc(align(attributeHeader + content.length));
  bytes.writeUInt16LE(attributeHeader + content.length, 0);
  bytes.writeUInt16LE(nested ? type | NLA_F_NESTED : type, 2);
  bytes.set(content, attributeHeader);
  return bytes;
}

export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  let at = 0;
  while (at + attributeHeader <= bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < attributeHeader || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, bytes.subarray(at + attributeHeader, at + length));
    at += align(length);
  }
  return found;
}

function align(length: number): number {
  return (length + 3) & ~3;
}

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u16be(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A string with its closing zero. */
export function zString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

export function textOf(value: Buffer | undefined): string {
  if (!value) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

export function numberOf(value: Buffer | undefined): number | undefined {
  if (!value) return undefined;
  return value.length >= 4 ? value.readUInt32LE(0) : value[0];
}
