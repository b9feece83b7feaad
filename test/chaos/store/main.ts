/** `npm run chaos:store -- --rounds 1000 --seed 1`: so many kills of a writer, and so many failures of the power under one. */
import { parseArgs } from 'node:util';
import { killRounds } from './kills.ts';
import { powerFailures } from './power.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } } });
const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
if (!(rounds > 0) || !Number.isSafeInteger(seed)) throw new Error('--rounds and --seed take whole numbers');
const { revisions, acknowledged } = await killRounds(rounds, seed, 'disk');
process.stdout.write(`${rounds} kills: ${acknowledged} acknowledged operations, ${revisions} revisions, none lost and none half there\n`);
const { writers, acts } = await powerFailures(rounds, seed);
process.stdout.write(`${rounds} power failures within ${acts} writes and syncs of ${writers} writers: none lost and none half there\n`);
