import type { NodeRequest } from '#api/gantry/nodes.ts';
import type { NodeStatus } from '#api/gantry/status.ts';
import { askNodes, daemonStatus } from '#client/control/client.ts';
import { Fault } from '#lib/errors.ts';
import { parseFlags } from '../root.ts';
import type { Command } from '../types.ts';

/** What each word asks for, and what is said when it is done. */
const verbs: Readonly<Record<string, { do: NodeRequest['do']; done: string; nameless?: true }>> = {
  add: { do: 'add', done: 'is there', nameless: true },
  rm: { do: 'remove', done: 'is gone, with all of it' },
  stop: { do: 'stop', done: 'has no agent now; its pods run on' },
  start: { do: 'start', done: 'has its agent' },
};
const usage = './gantry node ls, add [NAME], rm NAME, stop NAME or start NAME';

/** The nodes of this machine, while work runs on them. */
export const node: Command = {
  name: 'node',
  async run(args, context) {
    const { root, words } = parseFlags(args, context, {}, true);
    const [word = '', name, ...more] = words;
    if (word === 'ls' && name === undefined) {
      context.out(table((await daemonStatus(root)).nodes));
      return 0;
    }
    const verb = Object.hasOwn(verbs, word) ? verbs[word] : undefined;
    if (!verb || more.length > 0) throw new Fault('invalid', `./gantry node ${words.join(' ')}: use ${usage}`);
    if (name === undefined && !verb.nameless) throw new Fault('invalid', `./gantry node ${word}: name the node; ./gantry node ls lists them`);
    for (const done of await askNodes(root, { do: verb.do, ...(name !== undefined && { name }) })) context.out(`node ${done} ${verb.done}\n`);
    return 0;
  },
};

function table(nodes: readonly NodeStatus[]): string {
  const rows = [['NAME', 'STATUS', 'ADDRESS', 'PID'], ...nodes.map((n) => [n.name, n.ready ? 'Ready' : 'NotReady', n.address, n.pid === null ? '-' : String(n.pid)])];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)) + 2);
  return rows.map((row) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('').trimEnd()}\n`).join('');
}
