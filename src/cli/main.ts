import { Fault } from '#lib/errors.ts';
import { env } from './commands/env.ts';
import { help } from './commands/help.ts';
import { node } from './commands/node.ts';
import { status } from './commands/status.ts';
import type { Command } from './types.ts';

/** Gantry's own commands that are clients of a running daemon; `up`, `down`, `doctor` and `demo` are in main.ts. */
const commands: readonly Command[] = [status, node, env, help];

const later: Readonly<Record<string, string>> = {
  docker: 'eval "$(./gantry env)" and use the docker client',
  kubectl: 'eval "$(./gantry env)" and use kubectl',
  compose: 'eval "$(./gantry env)" and use docker-compose',
};

export async function cli(word: string, args: readonly string[]): Promise<number> {
  const name = { '--help': 'help', '-h': 'help', '--version': 'help' }[word] ?? word;
  const command = commands.find((c) => c.name === name);
  if (command) return command.run(args, { out: (text) => void process.stdout.write(text), env: process.env });
  const instead = later[word];
  if (instead) throw new Fault('not-implemented', `${word}: Gantry's own ${word} client is not implemented yet; ${instead}`);
  throw new Fault('invalid', `unknown command ${JSON.stringify(word)}: ./gantry help lists them`);
}
