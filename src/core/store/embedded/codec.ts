import type { RecordMeta, StoredRecord } from '../mvcc/backend.ts';

/**
 * Records on disk. Key: revision (6 bytes) and sub (4 bytes), big-endian, so that LMDB's order is theirs. Value:
 * flags (1: 0x01 deleted), create revision (6), version (6), lease (6), length of the store key (2), the
 * store key in UTF-8, the value.
 */
const headerBytes = 21;
const deletedFlag = 0x01;

export function recordKey(revision: number, sub: number): Buffer {
  const key = Buffer.allocUnsafe(10);
  key.writeUIntBE(revision, 0, 6);
  key.writeUInt32BE(sub, 6);
  return key;
}

export function encodeRecord(record: StoredRecord): Buffer {
  const keyBytes = Buffer.byteLength(record.key);
  const out = Buffer.allocUnsafe(headerBytes + keyBytes + record.value.byteLength);
  out.writeUInt8(record.deleted ? deletedFlag : 0, 0);
  out.writeUIntBE(record.createRevision, 1, 6);
  out.writeUIntBE(record.version, 7, 6);
  out.writeUIntBE(record.lease, 13, 6);
  out.writeUInt16BE(keyBytes, 19);
  out.write(record.key, headerBytes, 'utf8');
  out.set(record.value, headerBytes + keyBytes);
  return out;
}

export function decodeKey(bytes: Buffer): string {
  return bytes.toString('utf8', headerBytes, headerBytes + bytes.readUInt16BE(19));
}

/** The value, in the same memory. */
export function decodeValue(bytes: Buffer): Buffer {
  return bytes.subarray(headerBytes + bytes.readUInt16BE(19));
}

export function decodeMeta(key: Uint8Array, bytes: Buffer): RecordMeta {
  const id = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return {
    revision: id.readUIntBE(0, 6),
    sub: id.readUInt32BE(6),
    deleted: (bytes.readUInt8(0) & deletedFlag) !== 0,
    createRevision: bytes.readUIntBE(1, 6),
    version: bytes.readUIntBE(7, 6),
    lease: bytes.readUIntBE(13, 6),
  };
}
