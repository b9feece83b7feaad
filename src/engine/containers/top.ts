/** docker top: the host's `ps`, cut down to the container's processes. */
import type { TopResponse } from '#api/docker/containers.ts';
import { Fault } from '#lib/errors.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer } from './context.ts';
import { isAlive } from './record.ts';

export async function topOf(context: ContainerContext, reference: string, psArgs: string): Promise<TopResponse> {
  const record = context.set.must(reference);
  if (!isAlive(record)) throw new Fault('conflict', `container ${record.id} is not running`);
  const words = psArgs.split(/\s+/).filter((w) => w !== '');
  const { code, stdout, stderr } = await context.run('ps', words);
  if (code !== 0) throw new Fault('invalid', `error running ps: ${stderr.toString('utf8').trim()}`);
  const pids = new Set(context.containers.processes(record.id));
  emitContainer(context, record, 'top');
  return parsePs(stdout.toString('utf8'), pids);
}

export function parsePs(output: string, pids: ReadonlySet<number>): TopResponse {
  const [head = '', ...lines] = output.split('\n').filter((line) => line !== '');
  const titles = head.trim().split(/\s+/);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw new Fault('invalid', "Couldn't find PID field in ps output");
  const processes = lines
    .map((line) => {
      const words = line.trim().split(/\s+/);
      // the last column, the command, holds the rest of the line
      return [...words.slice(0, titles.length - 1), words.slice(titles.length - 1).join(' ')];
    })
    .filter((row) => pids.has(Number(row[pidColumn])));
  return { Titles: titles, Processes: processes };
}
