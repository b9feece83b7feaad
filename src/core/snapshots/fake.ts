/**
 * Snapshots as whole copies in plain directories: no mount, no root, no second thread. For tests of the rooms above
 * and for simulations. Owners, devices and extended attributes are not kept.
 */
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { Fault } from '#lib/errors.ts';
import { decompress } from '#lib/tar/decompress.ts';
import { readTar } from '#lib/tar/read.ts';
import type { TarMember } from '#lib/tar/read.ts';
import { tarEntry } from '#lib/tar/types.ts';
import { writeTar } from '#lib/tar/write.ts';
import type { TarSource } from '#lib/tar/write.ts';
import type { Content, Descriptor, Digest } from '#core/content/types.ts';
import { chainOn } from './chain.ts';
import { storeLayer } from './layer-blob.ts';
import type { ActiveInfo, ChainId, CommittedLayer, LayerInfo, SnapshotChange, SnapshotDirectories, Snapshots } from './types.ts';
import { componentsOf } from './unpack/layer-writer.ts';

interface Active {
  parent: ChainId;
  dir: string;
  labels: Readonly<Record<string, string>>;
  isMounted: boolean;
}

const fileLimitBytes = 1024 ** 3;

/** Copies below `root`, a directory of the caller's. */
export function fakeSnapshots(options: { root: string; content: Content }): Snapshots {
  return new CopySnapshots(options.root, options.content);
}

class CopySnapshots implements Snapshots {
  readonly #root: string;
  readonly #content: Content;
  readonly #layers = new Map<ChainId, LayerInfo & { dir: string; inodes: number }>();
  readonly #active = new Map<string, Active>();
  readonly #running = new Map<ChainId, Promise<ChainId>>();
  #next = 0;

  constructor(root: string, content: Content) {
    this.#root = root;
    this.#content = content;
  }

  has(chain: ChainId): boolean {
    return chain === '' || this.#layers.has(chain);
  }

  async unpack(parent: ChainId, blob: Descriptor, diffId: Digest, options: { onProgress?: (bytes: number) => void; signal?: AbortSignal } = {}): Promise<ChainId> {
    const chain = chainOn(parent, diffId);
    if (this.has(chain)) return chain;
    const work = this.#running.get(chain) ?? this.#unpack(parent, chain, blob, diffId).finally(() => this.#running.delete(chain));
    this.#running.set(chain, work);
    await work;
    options.onProgress?.(blob.size);
    return chain;
  }

  async #unpack(parent: ChainId, chain: Digest, blob: Descriptor, diffId: Digest): Promise<ChainId> {
    await this.#running.get(parent);
    const dir = this.#copyOf(parent);
    const hash = createHash('sha256');
    const before = usage(dir);
    try {
      const plain = Readable.from(hashed(decompress(await this.#content.open(blob.digest)), hash), { objectMode: false });
      for await (const member of readTar(plain)) await apply(dir, member);
      const found = `sha256:${hash.digest('hex')}`;
      if (found !== diffId) throw new Fault('invalid', `layer: its content has digest ${found}, and the image's config says ${diffId}`);
    } catch (error) {
      rmSync(dir, { recursive: true });
      throw error;
    }
    const after = usage(dir);
    this.#layers.set(chain, { chain, parent, diffId, blob, dir, bytes: Math.max(0, after.bytes - before.bytes), inodes: Math.max(0, after.inodes - before.inodes) });
    return chain;
  }

  async create(key: string, parent: ChainId, { labels = {} }: { labels?: Record<string, string> } = {}): Promise<void> {
    if (this.#active.has(key)) throw new Fault('already-exists', `snapshot ${key} already exists`);
    this.#active.set(key, { parent, dir: this.#copyOf(parent), labels, isMounted: false });
  }

  async mount(key: string): Promise<string> {
    const active = this.#must(key);
    active.isMounted = true;
    return active.dir;
  }

  view<T>(chain: ChainId, use: (root: string) => Promise<T>): Promise<T> {
    return use(this.#dirOf(chain));
  }

  async unmount(key: string): Promise<void> {
    this.#must(key).isMounted = false;
  }

  mountpoint(key: string): string | undefined {
    const active = this.#active.get(key);
    return active?.isMounted ? active.dir : undefined;
  }

  directories(key: string): SnapshotDirectories | undefined {
    const active = this.#active.get(key);
    // what is below it was copied into it
    if (active) return { lower: [], upper: active.dir, merged: active.dir };
    const layer = this.#layers.get(key as ChainId);
    return layer && { lower: [], upper: layer.dir };
  }

  async remove(key: string): Promise<void> {
    const active = this.#active.get(key);
    if (!active) return;
    this.#active.delete(key);
    rmSync(active.dir, { recursive: true });
  }

  async changes(key: string): Promise<SnapshotChange[]> {
    const { dir, parent } = this.#must(key);
    const lower = parent === '' ? undefined : this.#dirOf(parent);
    return compare(dir, lower, '').sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async diff(key: string): Promise<Readable> {
    const { dir } = this.#must(key);
    return writeTar((await this.changes(key)).map((change) => memberOf(dir, change)));
  }

  async commit(key: string): Promise<CommittedLayer> {
    const { dir, parent } = this.#must(key);
    const { bytes, inodes } = await this.usage(key);
    const { descriptor, diffId } = await storeLayer(this.#content, await this.diff(key), `commit ${key}`);
    const chain = chainOn(parent, diffId);
    this.#active.delete(key);
    if (this.has(chain)) rmSync(dir, { recursive: true });
    else this.#layers.set(chain, { chain, parent, diffId, blob: descriptor, dir, bytes, inodes });
    return { chain, diffId, descriptor };
  }

  async usage(key: string): Promise<{ bytes: number; inodes: number }> {
    const layer = this.#layers.get(key as ChainId);
    if (layer) return { bytes: layer.bytes, inodes: layer.inodes };
    const { dir } = this.#must(key);
    const kept = (await this.changes(key)).filter((change) => change.kind !== 'deleted').map((change) => lstatSync(join(dir, change.path)));
    return { bytes: kept.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0), inodes: kept.length };
  }

  layers(): readonly LayerInfo[] {
    return [...this.#layers.values()].map(({ dir: _dir, inodes: _inodes, ...info }) => info);
  }

  active(): readonly ActiveInfo[] {
    return [...this.#active].map(([key, { parent, labels }]) => ({ key, parent, labels }));
  }

  async removeLayer(chain: ChainId): Promise<void> {
    const layer = this.#layers.get(chain);
    if (!layer) return;
    const user = [...this.#active].find(([, active]) => active.parent === chain)?.[0] ?? [...this.#layers.values()].find((other) => other.parent === chain)?.chain;
    if (user !== undefined) throw new Fault('conflict', `layer ${chain} is in use by ${user}`);
    this.#layers.delete(chain);
    rmSync(layer.dir, { recursive: true });
  }

  #must(key: string): Active {
    const active = this.#active.get(key);
    if (!active) throw new Fault('not-found', `snapshot ${key} does not exist`);
    return active;
  }

  #dirOf(chain: ChainId): string {
    if (chain === '') return this.#copyOf('');
    const layer = this.#layers.get(chain);
    if (!layer) throw new Fault('not-found', `layer ${chain} does not exist`);
    return layer.dir;
  }

  #copyOf(chain: ChainId): string {
    const from = chain === '' ? undefined : this.#dirOf(chain);
    const dir = join(this.#root, String(this.#next++));
    if (from === undefined) mkdirSync(dir, { mode: 0o755 });
    else cpSync(from, dir, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    return dir;
  }
}

async function* hashed(source: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

async function apply(root: string, member: TarMember): Promise<void> {
  const { entry } = member;
  const components = componentsOf(entry.name);
  const name = components.at(-1);
  if (name === undefined) return;
  const path = join(root, ...components);
  const parent = dirname(path);
  for (let i = 1; i < components.length; i++) {
    const stat = lstatSync(join(root, ...components.slice(0, i)), { throwIfNoEntry: false });
    if (stat && !stat.isDirectory()) throw new Fault('invalid', `layer: ${JSON.stringify(entry.name)} is below something that is not a directory`);
  }
  mkdirSync(parent, { recursive: true });
  if (name === '.wh..wh..opq') {
    for (const left of readdirSync(parent)) rmSync(join(parent, left), { recursive: true });
    return;
  }
  if (name.startsWith('.wh.')) {
    rmSync(join(parent, name.slice(4)), { recursive: true, force: true });
    return;
  }
  if (entry.type === 'directory' && lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return chmodSync(path, entry.mode);
  rmSync(path, { recursive: true, force: true });
  if (entry.type === 'directory') mkdirSync(path, { mode: entry.mode });
  else if (entry.type === 'symlink') symlinkSync(entry.linkName, path);
  else if (entry.type === 'link') linkSync(join(root, ...componentsOf(entry.linkName)), path);
  else if (entry.type === 'file') writeFileSync(path, await member.read(fileLimitBytes), { mode: entry.mode });
  else throw new Fault('not-implemented', `layer: ${JSON.stringify(entry.name)} is a ${entry.type}, which plain copies cannot hold`);
}

/** What `upper` has that `lower` has not or has otherwise, and the reverse. A directory counts as modified where something in it is. */
function compare(upper: string, lower: string | undefined, below: string): SnapshotChange[] {
  const changes: SnapshotChange[] = [];
  const names = new Set(readdirSync(join(upper, below)));
  for (const name of lower === undefined ? [] : readdirSync(join(lower, below))) {
    if (!names.has(name)) changes.push({ path: `${below}/${name}`, kind: 'deleted' });
  }
  for (const name of names) {
    const path = `${below}/${name}`;
    const mine = lstatSync(join(upper, path));
    const theirs = lower === undefined ? undefined : lstatSync(join(lower, path), { throwIfNoEntry: false });
    const inside = mine.isDirectory() ? compare(upper, theirs?.isDirectory() ? lower : undefined, path) : [];
    if (!theirs) changes.push({ path, kind: 'added' });
    else if (inside.length > 0 || mine.mode !== theirs.mode || !sameContent(upper, lower!, path)) changes.push({ path, kind: 'modified' });
    changes.push(...inside);
  }
  return changes;
}

function sameContent(upper: string, lower: string, path: string): boolean {
  const stat = lstatSync(join(upper, path));
  if (stat.isSymbolicLink()) return readlinkSync(join(upper, path)) === readlinkSync(join(lower, path));
  return !stat.isFile() || readFileSync(join(upper, path)).equals(readFileSync(join(lower, path)));
}

function memberOf(root: string, { path, kind }: SnapshotChange): TarSource {
  const name = path.slice(1);
  if (kind === 'deleted') return { entry: tarEntry(join(dirname(name), `.wh.${name.slice(name.lastIndexOf('/') + 1)}`), 'file', { mode: 0o600 }) };
  const stat = lstatSync(join(root, path), { bigint: true });
  const fields = { mode: Number(stat.mode) & 0o7777, mtime: stat.mtimeNs };
  if (stat.isDirectory()) return { entry: tarEntry(name, 'directory', fields) };
  if (stat.isSymbolicLink()) return { entry: tarEntry(name, 'symlink', { ...fields, linkName: readlinkSync(join(root, path)) }) };
  const body = readFileSync(join(root, path));
  return { entry: tarEntry(name, 'file', { ...fields, size: body.length }), body };
}

function usage(root: string): { bytes: number; inodes: number } {
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => lstatSync(join(root, name)));
  return { bytes: found.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0), inodes: found.length };
}
