/**
 * A look at the database file before it is mapped: LMDB takes an empty file for a new one, and a page that is not there or
 * not one of its own ends the process. Layout: lmdb.h and mdb.c of the library that `lmdb` brings (data version 2).
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { Fault, codeOf } from '#lib/errors.ts';

const magic = 0xbeefc0de;
/** Where a page's header has its flags, and where a meta page's fields are. */
const at = { flags: 18, magic: 24, databases: 48, lastPage: 144, transaction: 152 } as const;
/** Bytes of one database's description, and where in it the page size (in the first) and the root page are. */
const database = { bytes: 48, root: 40 } as const;
const pageFlags = { branch: 1, leaf: 2, meta: 8 } as const;
const smallestPage = 4096;
/** Pages at the end that were taken and given back within one transaction: they need not be in the file. */
const unwrittenPages = 32;
const noRoot = 0xffffffffffffffffn;

/** More bytes than a database has that was just made: its opening writes 28 KiB. */
const mostUnfinished = 64 * 1024;

/**
 * Throws `conflict` where `file` is there and is no whole database; it is not changed. `lost`: what is only in it.
 * `isNew`: no opening of it has ended yet, so nothing was stored: what a kill or a loss of power left of one is emptied.
 */
export function checkDatabaseFile(file: string, lost: string, isNew: boolean): void {
  let fd: number;
  try {
    fd = openSync(file, isNew ? 'r+' : 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const problem = problemOf(fd);
    if (problem !== undefined) {
      if (isNew && fstatSync(fd).size <= mostUnfinished) return ftruncateSync(fd, 0);
      throw new Fault('conflict', `the database ${file} is damaged (${problem}): restore it from a copy, or move it away to begin without it; only it holds ${lost}`);
    }
  } finally {
    closeSync(fd);
  }
}

function problemOf(fd: number): string | undefined {
  const { size } = fstatSync(fd);
  if (size === 0) return 'it is empty';
  const first = read(fd, 0);
  const page = first.readUInt32LE(at.databases) || smallestPage;
  if (!isMeta(first) || page < 256 || page > 65_536) return 'it does not begin as a database';
  const second = read(fd, page);
  if (!isMeta(second)) return 'its second page is not one of a database';
  const newest = [first, second].reduce((a, b) => (b.readBigUInt64LE(at.transaction) > a.readBigUInt64LE(at.transaction) ? b : a));
  const needed = (newest.readBigUInt64LE(at.lastPage) + 1n - BigInt(unwrittenPages)) * BigInt(page);
  if (BigInt(size) < needed) return `it has ${size} bytes of at least ${needed}`;
  for (const index of [0, 1]) {
    const root = newest.readBigUInt64LE(at.databases + index * database.bytes + database.root);
    if (root === noRoot) continue;
    if ((root + 1n) * BigInt(page) > BigInt(size)) return `page ${root} is beyond its end`;
    const bytes = read(fd, Number(root) * page);
    const flags = bytes.readUInt16LE(at.flags);
    if (bytes.readBigUInt64LE(0) !== root || (flags & (pageFlags.branch | pageFlags.leaf)) === 0) return `page ${root} was overwritten`;
  }
  return undefined;
}

/** The head of a page; zeros where the file ends. */
function read(fd: number, position: number): Buffer {
  const head = Buffer.alloc(256);
  readSync(fd, head, 0, head.length, position);
  return head;
}

function isMeta(page: Buffer): boolean {
  return page.readUInt32LE(at.magic) === magic && (page.readUInt16LE(at.flags) & pageFlags.meta) !== 0;
}
