import { createReadStream, existsSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { Fault } from '#lib/errors.ts';
import { tarEntry } from '#lib/tar/types.ts';
import type { TarSource } from '#lib/tar/write.ts';

/**
 * A base image like `node:24-slim` from what this host has, for where Docker Hub cannot be reached: its Node.js with
 * npm and the libraries that it loads, and busybox for a shell.
 */
export function hostNodeImage(): { archive: AsyncIterable<TarSource>; changes: string[] } {
  return {
    archive: members(),
    changes: ['ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', `ENV NODE_VERSION=${process.versions.node}`, 'CMD ["node"]'],
  };
}

const accounts: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000:node:/home/node:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  'etc/group': 'root:x:0:\nnode:x:1000:\nnogroup:x:65534:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  'etc/os-release': 'NAME="Gantry demo base"\nID=gantry\nPRETTY_NAME="Node.js and busybox of this host"\n',
};

/** Commands of busybox that Dockerfiles and `docker exec` use. */
const applets = (
  'ash awk basename cat chgrp chmod chown cp cut date dd df dirname du echo env expr false find free grep gunzip gzip head hostname id ' +
  'ip kill less ln ls md5sum mkdir mktemp more mount mv nc nslookup od ping ps pwd readlink realpath rm rmdir sed seq sh sha256sum sleep sort ' +
  'stat sync tail tar tee test top touch tr true tty umount uname uniq vi wc wget which whoami xargs yes'
).split(' ');

async function* members(): AsyncGenerator<TarSource> {
  for (const name of ['bin', 'etc', 'etc/ssl', 'etc/ssl/certs', 'home', 'lib64', 'proc', 'root', 'sys', 'dev', 'usr', 'usr/bin', 'usr/local', 'usr/local/bin', 'usr/local/lib', 'usr/local/lib/node_modules', 'var']) {
    yield { entry: tarEntry(name, 'directory') };
  }
  yield { entry: tarEntry('tmp', 'directory', { mode: 0o1777 }) };
  yield { entry: tarEntry('home/node', 'directory', { uid: 1000, gid: 1000 }) };
  for (const [name, text] of Object.entries(accounts)) yield bytes(name, Buffer.from(text));
  const authorities = '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(authorities)) yield bytes(authorities.slice(1), readFileSync(authorities));
  yield file('bin/busybox', onPath('busybox', 'apt-get install busybox-static'));
  for (const applet of applets) yield { entry: tarEntry(`bin/${applet}`, 'symlink', { linkName: '/bin/busybox' }) };
  yield { entry: tarEntry('usr/bin/env', 'symlink', { linkName: '/bin/busybox' }) };
  yield file('usr/local/bin/node', process.execPath);
  yield* libraries();
  yield* npm();
}

/** The shared objects that this very process has loaded: what the same program needs in the image. */
function* libraries(): Generator<TarSource> {
  const report = process.report.getReport() as unknown as { sharedObjects: string[] };
  const paths = report.sharedObjects.filter((p) => /\/(ld-linux|lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s|atomic|resolv))[-.]/.test(p));
  const made = new Set(['lib64']);
  for (const path of [...new Set(paths)].sort()) {
    const parts = path.slice(1).split('/').slice(0, -1);
    for (let i = 1; i <= parts.length; i++) {
      const directory = parts.slice(0, i).join('/');
      if (!made.has(directory)) yield { entry: tarEntry(directory, 'directory') };
      made.add(directory);
    }
    yield file(path.slice(1), path);
  }
}

async function* npm(): AsyncGenerator<TarSource> {
  const from = npmDirectory();
  const to = 'usr/local/lib/node_modules/npm';
  yield { entry: tarEntry(to, 'directory') };
  for (const entry of (await readdir(from, { recursive: true, withFileTypes: true })).sort((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1))) {
    const path = join(entry.parentPath, entry.name);
    const name = to + path.slice(from.length);
    if (/\/(docs|man)(\/|$)/.test(name)) continue;
    if (entry.isDirectory()) yield { entry: tarEntry(name, 'directory') };
    else if (entry.isSymbolicLink()) yield { entry: tarEntry(name, 'symlink', { linkName: readlinkSync(path) }) };
    else yield file(name, path);
  }
  for (const command of ['npm', 'npx']) yield { entry: tarEntry(`usr/local/bin/${command}`, 'symlink', { linkName: `../lib/node_modules/npm/bin/${command}-cli.js` }) };
}

/** An npm that holds all that it needs: beside the private Node.js, or where a Node.js distribution has it. */
function npmDirectory(): string {
  const node = realpathSync(process.execPath);
  const places = [join(dirname(node), '../lib/node_modules/npm'), join(dirname(node), '../../npm')];
  const found = places.find((p) => existsSync(join(p, 'node_modules')) && existsSync(join(p, 'bin/npm-cli.js')));
  if (found) return realpathSync(found);
  throw new Fault('precondition', 'no npm to put into the base image: start Gantry with --registry-mirror URL, so that it can pull node:24-slim');
}

function onPath(program: string, mend: string): string {
  const found = (process.env.PATH ?? '').split(delimiter).concat('/bin').map((d) => join(d, program)).find((p) => existsSync(p));
  if (!found) throw new Fault('precondition', `${program} is missing: ${mend}`);
  return realpathSync(found);
}

function bytes(name: string, body: Buffer): TarSource {
  return { entry: tarEntry(name, 'file', { size: body.length }), body };
}

function file(name: string, path: string): TarSource {
  const { size, mode } = statSync(path);
  return { entry: tarEntry(name, 'file', { size, mode: mode & 0o755 }), body: createReadStream(path, { highWaterMark: 1 << 20 }) };
}
