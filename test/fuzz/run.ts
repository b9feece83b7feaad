/** `npm run fuzz -- [--seeds N] [--from SEED] [FILE…]`: the fuzz tests with as many seeds as one has time for. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { seeds: { type: 'string', default: '10000' }, from: { type: 'string', default: '0' } },
  allowPositionals: true,
});
const files = positionals.length > 0 ? positionals : [join(import.meta.dirname, '*.test.ts')];
const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...files], {
  stdio: 'inherit',
  env: { ...process.env, GANTRY_FUZZ: `--seeds ${values.seeds} --from ${values.from}` },
});
process.exitCode = status ?? 1;
