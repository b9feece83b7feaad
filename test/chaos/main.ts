/** `npm run chaos -- --rounds 50 --seed 1`: the daemon killed so often, each time at a random moment under a mixed load. */
import { parseArgs } from 'node:util';
import { chaos } from './daemon/rounds.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '50' }, seed: { type: 'string', default: '1' } } });
const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
if (!(rounds > 0) || !Number.isSafeInteger(seed)) throw new Error('--rounds and --seed take whole numbers');
await chaos({ rounds, seed, say: (text) => void process.stdout.write(`${text}\n`) });
process.stdout.write(`${rounds} rounds with seed ${seed}: all ran on, nothing was lost, doubled or left\n`);
