/** Gantry's own client commands. */
import { join } from 'node:path';
import { launcher } from './gantry.ts';
import { command, interleave } from './measure.ts';
import type { Bench, Part } from './types.ts';

const commands = ['status', 'env', 'help'] as const;
const goalMs = 150;

export const status: Part = { name: 'status', about: './gantry status and the other client commands, and kubectl get pods', run };

async function run(bench: Bench): Promise<void> {
  const { root } = await bench.gantry();
  for (const word of commands) {
    const once = async (): Promise<number> => (await command(launcher, word === 'help' ? [word] : [word, '--root', root])).ms;
    bench.report({ subject: `gantry ${word}`, unit: 'ms', values: await interleave([{ name: 'gantry', once }], bench.plan, bench.signal), goal: { median: goalMs } });
  }
  const env = { ...process.env, KUBECONFIG: join(root, 'cluster', 'admin.kubeconfig') };
  const once = async (): Promise<number> => (await command('kubectl', ['get', 'pods'], { env })).ms;
  bench.report({ subject: 'kubectl get pods', unit: 'ms', values: await interleave([{ name: 'gantry', once }], bench.plan, bench.signal), goal: { median: goalMs } });
}
