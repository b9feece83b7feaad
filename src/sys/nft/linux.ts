import { Fault, isFault } from '#lib/errors.ts';
import { inNamespace } from '../netns/linux.ts';
import { libnftables, NFT_CTX_OUTPUT_JSON, NFT_CTX_OUTPUT_NUMERIC_ALL } from './library.ts';
import { tableNames } from './tables.ts';
import { checkTable, faultOf } from './text.ts';
import type { Nftables } from './types.ts';

export function linuxNftables(): Nftables {
  return {
    run: (commands, path) => void run(commands, path, 0),
    tables: (path) => (path === undefined ? tableNames() : inNamespace('net', path, tableNames)),
    list: (table, path) => {
      try {
        return JSON.parse(run(`list table ${checkTable(table)}`, path, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL)) as unknown;
      } catch (error) {
        if (isFault(error, 'not-found')) return undefined;
        throw error;
      }
    },
  };
}

/**
 * A context is made for each call: it takes 40 microseconds, its socket belongs to the namespace that it was
 * made in (and would keep that alive), and nothing of a failed call stays behind.
 */
function run(commands: string, path: string | undefined, flags: number): string {
  const library = libnftables();
  const inside = (): string => {
    const context = library.nft_ctx_new(0);
    if (context === null) throw new Fault('internal', 'libnftables gives no context');
    try {
      if (library.nft_ctx_buffer_output(context) !== 0 || library.nft_ctx_buffer_error(context) !== 0) {
        throw new Fault('exhausted', 'libnftables has no memory for its output');
      }
      library.nft_ctx_output_set_flags(context, flags);
      const failed = library.nft_run_cmd_from_buffer(context, commands) !== 0;
      if (failed) throw faultOf(library.nft_ctx_get_error_buffer(context), commands);
      return library.nft_ctx_get_output_buffer(context);
    } finally {
      library.nft_ctx_free(context);
    }
  };
  return path === undefined ? inside() : inNamespace('net', path, inside);
}
