/**
 * `npm run chaos -- --rounds 50 --seed 1`: the daemon killed so often, each time at a random moment under a mixed load;
 * with `--nodes 2` a node's agent, the daemon, or both. Supervisors of containers and pods are killed in every round.
 */
import { parseArgs } from 'node:util';
import { chaos } from './daemon/rounds.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '50' }, seed: { type: 'string', default: '1' }, nodes: { type: 'string', default: '1' } } });
const [rounds, seed, nodes] = [Number(values.rounds), Number(values.seed), Number(values.nodes)];
if (!(rounds > 0) || !Number.isSafeInteger(seed) || !(nodes > 0)) throw new Error('--rounds, --seed and --nodes take whole numbers');
await chaos({ rounds, seed, nodes, soak: true, say: (text) => void process.stdout.write(`${text}\n`) });
process.stdout.write(`${rounds} rounds with seed ${seed} and ${nodes} ${nodes === 1 ? 'node' : 'nodes'}: all ran on, nothing was lost, doubled or left\n`);
