import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { Content } from '#core/content/types.ts';
import type { OpenRecords, Records } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import type { Snapshots } from '../types.ts';
import { UnpackPool } from '../unpack/pool.ts';
import { OverlaySnapshots } from './driver.ts';
import { OverlayPlaces } from './places.ts';
import type { ActiveRecord, LayerRecord } from './records.ts';
import { Settling } from './settle.ts';

export interface SnapshotsOptions {
  /** Everything is below `<root>/snapshots`. */
  root: string;
  content: Content;
  kernel: Pick<Kernel, 'mounts' | 'files'>;
  records: OpenRecords;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Names this boot of the machine; the kernel's where it is not given. */
  bootId?: string;
}

/** Opens the overlay snapshots below `root`; what a crash left half made is removed, what is mounted stays mounted. */
export async function openSnapshots(options: SnapshotsOptions): Promise<Snapshots & { close(): Promise<void> }> {
  const log = options.log.child('snapshots');
  await mkdir(join(options.root, 'snapshots'), { recursive: true, mode: 0o711 });
  // As the mount table will show it.
  const root = await realpath(join(options.root, 'snapshots'));
  const places = new OverlayPlaces(root, options.random);
  const layers = await options.records<LayerRecord>('layers', ['dir', 'diffId', 'blob']);
  const active = await options.records<ActiveRecord>('snapshots', ['dir', 'labels']);
  await dropLost(layers, (record) => places.layer(record.dir), log);
  const bootId = options.bootId ?? (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const settling = new Settling({ bootId, layers, clock: options.clock, log });
  await settling.recover();
  // whose directories those of damaged records are is not known: then nothing is removed
  const whole = layers.damaged.size + active.damaged.size === 0;
  if (whole) await dropBaseless(layers, log);
  await dropLost(active, (record) => places.active(record.dir, 'fs'), log);
  const dirs = async (records: Records<LayerRecord> | Records<ActiveRecord>, folder: string): Promise<Set<string>> =>
    new Set(whole ? records.list().map((record) => record.dir) : await readdir(join(root, folder)));
  const removed = await places.recover(options.kernel.mounts, { layers: await dirs(layers, 'layers'), active: await dirs(active, 'active') });
  if (removed.length > 0) log.info('removed what was left unfinished', { directories: removed.join(' ') });
  return new OverlaySnapshots({
    places,
    layers,
    active,
    settling,
    log,
    content: options.content,
    mounts: options.kernel.mounts,
    files: options.kernel.files,
    pool: new UnpackPool(options.clock),
  });
}

/** Forgets records whose directory is gone: an image that needs the layer unpacks it again. */
async function dropLost<T extends { id: string }>(records: Records<T>, place: (record: T) => string, log: Logger): Promise<void> {
  for (const record of records.list()) {
    if (existsSync(place(record))) continue;
    log.warn('a directory is missing; its record is dropped', { id: record.id, directory: place(record) });
    await records.delete(record.id);
  }
}

/** Forgets layers whose parent is gone, and what stood on those. */
async function dropBaseless(layers: Records<LayerRecord>, log: Logger): Promise<void> {
  for (;;) {
    const lost = layers.list().filter((record) => record.parent !== '' && !layers.get(record.parent));
    if (lost.length === 0) return;
    for (const { id, parent } of lost) {
      log.warn('a layer is dropped, since its parent is missing', { id, parent });
      await layers.delete(id);
    }
  }
}
