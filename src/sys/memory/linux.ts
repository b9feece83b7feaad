import { loadKoffi } from '../koffi.ts';
import type { Memory } from './types.ts';

export function linuxMemory(): Memory {
  return {
    resident: () => process.memoryUsage.rss(),
    worked: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    giveBack: () => {
      // only this kind of collection releases the pages that V8 pools
      globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      trim()?.(0);
    },
  };
}

/** malloc_trim(3) of the GNU C library; others have no need of it. */
function trim(): ((keep: number) => number) | undefined {
  try {
    return loadKoffi().load(null).func('malloc_trim', 'int', ['size_t']) as (keep: number) => number;
  } catch {
    return undefined;
  }
}
