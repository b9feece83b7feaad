/** Resolves `user[:group]` in a container's root file system, as Docker does: /etc/passwd and /etc/group read inside it. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { Fault, isFault } from '#lib/errors.ts';
import type { Files } from '#sys/fs/types.ts';

export interface ResolvedUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  /** Home directory by /etc/passwd; `/` where the user has no line. */
  home: string;
  /** The name, where the user has a line. */
  name?: string;
}

/** Larger account files than this: `too-large`, in bytes. */
export const accountFileLimit = 4 * 1024 * 1024;

const largestId = 2 ** 31 - 1;

/**
 * `user` is '', a name, an id, or either with `:group` (name or id). '' is root. `extraGroups` are names or ids
 * (`--group-add`). An unknown name: `invalid`, in Docker's words.
 */
export function resolveUser(files: Files, rootfs: string, user: string, extraGroups: readonly string[] = []): ResolvedUser {
  const accounts = readAccounts(files, rootfs);
  const colon = user.indexOf(':');
  const userPart = colon < 0 ? user : user.slice(0, colon);
  const groupPart = colon < 0 ? '' : user.slice(colon + 1);
  const found = findUser(accounts.users, userPart);
  const gid = groupPart === '' ? found.gid : findGroup(accounts.groups, groupPart);
  const member = (group: Group): boolean => found.name !== undefined && group.members.includes(found.name);
  const fromFile = groupPart === '' ? accounts.groups.filter(member).map((group) => group.gid) : [];
  const extra = extraGroups.map((group) => findGroup(accounts.groups, group));
  const resolved: ResolvedUser = { uid: found.uid, gid, additionalGids: [...new Set([...fromFile, ...extra])], home: found.home };
  if (found.name !== undefined) resolved.name = found.name;
  return resolved;
}

interface User {
  name?: string;
  uid: number;
  gid: number;
  home: string;
}

interface Group {
  name: string;
  gid: number;
  members: string[];
}

function findUser(users: readonly (User & { name: string })[], wanted: string): User {
  const name = wanted === '' ? '0' : wanted;
  const byName = users.find((user) => user.name === name);
  if (byName) return byName;
  const uid = parseId(name);
  if (uid === undefined) throw new Fault('invalid', `unable to find user ${name}: no matching entries in passwd file`);
  return users.find((user) => user.uid === uid) ?? { uid, gid: 0, home: '/' };
}

function findGroup(groups: readonly Group[], wanted: string): number {
  const gid = groups.find((group) => group.name === wanted)?.gid ?? parseId(wanted);
  if (gid === undefined) throw new Fault('invalid', `unable to find group ${wanted}: no matching entries in group file`);
  return gid;
}

function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  if (id > largestId) throw new Fault('invalid', `uids and gids must be in range 0-${largestId}`);
  return id;
}

function readAccounts(files: Files, rootfs: string): { users: (User & { name: string })[]; groups: Group[] } {
  const root = openSync(rootfs, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const users = fieldsOf(readInRoot(files, root, 'etc/passwd')).flatMap(([name, , uid, gid, , home]) =>
      name && isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home: home || '/' }] : [],
    );
    const groups = fieldsOf(readInRoot(files, root, 'etc/group')).flatMap(([name, , gid, members]) =>
      name && isId(gid) ? [{ name, gid: Number(gid), members: (members ?? '').split(',').map((m) => m.trim()) }] : [],
    );
    return { users, groups };
  } finally {
    closeSync(root);
  }
}

function isId(text: string | undefined): boolean {
  return text !== undefined && /^\d+$/.test(text) && Number(text) <= largestId;
}

function fieldsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.trim().split(':'));
}

/** The file's text; '' where there is none. Links that the image made cannot lead out of its root. */
function readInRoot(files: Files, root: number, path: string): string {
  let fd: number;
  try {
    fd = files.openInRoot(root, path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isFault(error, 'not-found') || (isFault(error) && error.details['errno'] === 'ENOTDIR')) return '';
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Fault('invalid', `/${path} of the image is not a regular file`);
    if (stat.size > accountFileLimit) throw new Fault('too-large', `/${path} of the image is larger than ${accountFileLimit} bytes`);
    const buffer = Buffer.alloc(stat.size);
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0)).toString('utf8');
  } finally {
    files.close(fd);
  }
}
