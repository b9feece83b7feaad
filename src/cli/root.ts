import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { rootOf } from '#client/control/client.ts';
import { Fault, messageOf } from '#lib/errors.ts';
import type { CommandContext } from './types.ts';

/** Reads a command's flags and words; every command takes `--root` (or GANTRY_ROOT) and `--debug`. */
export function parseFlags<T extends ParseArgsOptionsConfig>(args: readonly string[], context: CommandContext, options: T, takesWords = false) {
  const shared = { root: { type: 'string' }, debug: { type: 'boolean' } } as const;
  try {
    const { values, positionals: words } = parseArgs({ args: [...args], options: { ...shared, ...options }, allowPositionals: takesWords });
    return { root: rootOf((values as { root?: string }).root, context.env), values, words };
  } catch (error) {
    throw new Fault('invalid', `${messageOf(error)}. See ./gantry help`, { cause: error });
  }
}
