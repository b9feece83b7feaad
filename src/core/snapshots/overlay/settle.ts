import type { Clock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Records } from '#core/store/records.types.ts';
import type { LayerRecord } from './records.ts';

/** Milliseconds in which the kernel writes back what was written: its dirty pages expire after 30 s. */
export const settleMs = 120_000;

/**
 * A layer's files are not synced one by one: for thousands of small files that takes longer than all else. So until
 * they have settled, a layer is known by the boot that wrote it. Found in another boot, it may have lost files to a power
 * failure and is forgotten; its blob, which was synced, gives it again.
 */
export class Settling {
  readonly bootId: string;
  readonly #layers: Records<LayerRecord>;
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor(parts: { bootId: string; layers: Records<LayerRecord>; clock: Clock; log: Logger }) {
    this.bootId = parts.bootId;
    this.#layers = parts.layers;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  async recover(): Promise<void> {
    for (const { id, unsettled } of this.#layers.list()) {
      if (unsettled === undefined) continue;
      if (unsettled === this.bootId) this.watch(id);
      else {
        this.#log.warn('a layer had not settled on the disk when the machine stopped; it is dropped, and unpacked again for its image', { id });
        await this.#layers.delete(id);
      }
    }
  }

  /** Marks the layer as settled when it is. */
  watch(id: string): void {
    const settle = async (): Promise<void> => {
      try {
        await this.#layers.update(id, ({ unsettled: _unsettled, ...record }) => record);
      } catch (error) {
        // Removed since; or the store is closed, and the next start sees to it.
        if (!isFault(error, 'not-found')) this.#log.info('a layer could not be marked as settled', { id, error });
      }
    };
    this.#clock.after(settleMs, () => void settle()).unref();
  }
}
