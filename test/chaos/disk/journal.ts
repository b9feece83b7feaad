/**
 * What a disk was asked to do, in order, and what it may hold if the power fails after any of it: all that was synced, and of
 * the rest any part, sector by sector, in any order. Sectors are whole.
 */
import type { Random } from '#lib/random.ts';

export const sectorBytes = 512;

export type Act =
  | { act: 'write'; file: string; offset: number; data: Buffer }
  | { act: 'size'; file: string; size: number }
  | { act: 'sync'; file: string }
  | { act: 'create'; file: string }
  | { act: 'syncDirectory' };

type Change = Act & { act: 'write' | 'size' };

interface OnDisk {
  /** Whether its directory entry is. */
  named: boolean;
  data: Buffer;
  /** Since its last sync. */
  open: Change[];
}

/** The files of one directory as they may be after a loss of power. */
export class Platter {
  readonly #files: Map<string, OnDisk>;

  /** With `files` on it, synced. */
  constructor(files: ReadonlyMap<string, Buffer>) {
    this.#files = new Map([...files].map(([name, data]) => [name, { named: true, data: Buffer.from(data), open: [] }]));
  }

  take(act: Act): void {
    if (act.act === 'syncDirectory') {
      for (const file of this.#files.values()) file.named = true;
      return;
    }
    let file = this.#files.get(act.file);
    if (!file) this.#files.set(act.file, (file = { named: false, data: Buffer.alloc(0), open: [] }));
    if (act.act === 'write' || act.act === 'size') file.open.push(act);
    if (act.act !== 'sync') return;
    file.data = file.open.reduce((data: Buffer, later) => apply(data, later), file.data);
    file.open = [];
  }

  /** What a process sees that reads the files before the power fails. */
  asWritten(): Map<string, Buffer> {
    return new Map([...this.#files].map(([name, { data, open }]) => [name, open.reduce((before: Buffer, act) => apply(before, act), Buffer.from(data))]));
  }

  /** One of the ways it may have come out; `undefined` is a file whose name is lost. */
  crash(random: Random): Map<string, Buffer> {
    // none, all, or a part of what was not synced, each often enough
    const share = [0, 100, 50, 10, 90][random.int(5)] as number;
    const left = new Map<string, Buffer>();
    for (const [name, { named, data, open }] of this.#files) {
      if (!named && random.int(2) === 0) continue;
      left.set(name, open.reduce((before: Buffer, act) => partly(before, act, () => random.int(100) < share, random.int(2) === 0), Buffer.from(data)));
    }
    return left;
  }
}

/** In place, where it does not grow. */
function apply(data: Buffer, act: Change): Buffer {
  const size = act.act === 'size' ? act.size : Math.max(data.length, act.offset + act.data.length);
  const grown = size === data.length ? data : Buffer.concat([data.subarray(0, size), Buffer.alloc(Math.max(0, size - data.length))]);
  if (act.act === 'write') act.data.copy(grown, act.offset);
  return grown;
}

function partly(data: Buffer, act: Change, lucky: () => boolean, bySector: boolean): Buffer {
  if (act.act === 'size') return lucky() ? apply(data, act) : data;
  const unit = bySector ? sectorBytes : 4096;
  for (let from = act.offset; from < act.offset + act.data.length; ) {
    const to = Math.min(act.offset + act.data.length, (Math.floor(from / unit) + 1) * unit);
    if (lucky()) data = apply(data, { ...act, offset: from, data: act.data.subarray(from - act.offset, to - act.offset) });
    from = to;
  }
  return data;
}
