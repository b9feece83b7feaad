import type { Status } from '#api/gantry/status.ts';
import { daemonStatus } from '#client/control/client.ts';
import { Fault } from '#lib/errors.ts';
import { parseFlags } from '../root.ts';
import type { Command } from '../types.ts';

export const status: Command = {
  name: 'status',
  async run(args, context) {
    const { root, values } = parseFlags(args, context, { output: { type: 'string', short: 'o' } });
    if (values.output !== undefined && values.output !== 'json') throw new Fault('invalid', `-o takes json, not ${JSON.stringify(values.output)}`);
    const current = await daemonStatus(root);
    context.out(values.output === 'json' ? `${JSON.stringify(current, null, 2)}\n` : describe(current));
    return 0;
  },
};

function describe(s: Status): string {
  const lines: [string, string][] = [
    ['daemon', `pid ${s.daemon.pid}, version ${s.daemon.version}, ${megabytes(s.daemon.memoryBytes)} resident`],
    ['root', s.daemon.root],
    ['docker', `unix://${s.docker.socket}`],
    ['kubernetes', s.api.url],
    ['kubeconfig', s.api.kubeconfig],
    ...s.nodes.map((n): [string, string] => ['node', `${n.name} ${n.ready ? 'Ready' : 'NotReady'} at ${n.address} (${n.pid === null ? 'no agent: ./gantry up starts it' : `pid ${n.pid}`})`]),
    ['containers', `${s.containers.running} running of ${s.containers.total}`],
    ['pods', `${s.pods.running} running of ${s.pods.total}`],
    ['images', String(s.images)],
    ['disk', `${megabytes(s.disk.availableBytes)} free of ${megabytes(s.disk.totalBytes)}`],
  ];
  return lines.map(([name, value]) => `${name.padEnd(12)}${value}\n`).join('');
}

function megabytes(bytes: number): string {
  return bytes < 10 * 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${Math.round(bytes / 2 ** 30)} GiB`;
}
