/** How many seeds the fuzz tests try, and from which on: `npm run fuzz -- --from A --seeds N`. */
import { parseArgs } from 'node:util';

const given = (process.env['GANTRY_FUZZ'] ?? '').split(' ').filter(Boolean);
const { values } = parseArgs({ args: given, options: { seeds: { type: 'string' }, from: { type: 'string' } } });

export const seeds = Number(values.seeds ?? 100);
export const firstSeed = Number(values.from ?? 0);
