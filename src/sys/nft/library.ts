/** libnftables (libnftables.json(5) and its header): the library behind nft(8). Bound on first use. */
import { Fault } from '#lib/errors.ts';
import type { Pointer } from '../koffi.ts';
import { loadKoffi } from '../koffi.ts';

export interface LibNftables {
  nft_ctx_new(flags: number): Pointer | null;
  nft_ctx_free(context: Pointer): void;
  nft_ctx_buffer_output(context: Pointer): number;
  nft_ctx_buffer_error(context: Pointer): number;
  nft_ctx_get_output_buffer(context: Pointer): string;
  nft_ctx_get_error_buffer(context: Pointer): string;
  nft_ctx_output_set_flags(context: Pointer, flags: number): void;
  nft_run_cmd_from_buffer(context: Pointer, commands: string): number;
}

const signatures: Record<keyof LibNftables, [result: string, args: string[]]> = {
  nft_ctx_new: ['void *', ['uint']],
  nft_ctx_free: ['void', ['void *']],
  nft_ctx_buffer_output: ['int', ['void *']],
  nft_ctx_buffer_error: ['int', ['void *']],
  nft_ctx_get_output_buffer: ['str', ['void *']],
  nft_ctx_get_error_buffer: ['str', ['void *']],
  nft_ctx_output_set_flags: ['void', ['void *', 'uint']],
  nft_run_cmd_from_buffer: ['int', ['void *', 'str']],
};

export const NFT_CTX_OUTPUT_JSON = 1 << 4;
export const NFT_CTX_OUTPUT_NUMERIC_ALL = 0x780;

let bound: LibNftables | undefined;

export function libnftables(): LibNftables {
  bound ??= bindAll();
  return bound;
}

function bindAll(): LibNftables {
  let library;
  try {
    library = loadKoffi().load('libnftables.so.1');
  } catch (error) {
    throw new Fault('precondition', 'nftables cannot be set: libnftables.so.1 is missing; install nftables (Debian: apt install nftables)', { cause: error });
  }
  const functions: Record<string, unknown> = {};
  for (const [name, [result, args]] of Object.entries(signatures)) functions[name] = library.func(name, result, args);
  return functions as unknown as LibNftables;
}
