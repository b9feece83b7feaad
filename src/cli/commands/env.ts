import { daemonSockets } from '#client/control/client.ts';
import { parseFlags } from '../root.ts';
import type { Command } from '../types.ts';

/** For `eval "$(./gantry env)"`. */
export const env: Command = {
  name: 'env',
  async run(args, context) {
    const { root } = parseFlags(args, context, {});
    const file = await daemonSockets(root);
    context.out(`export DOCKER_HOST=${quoted(`unix://${file.docker}`)}\nexport KUBECONFIG=${quoted(file.kubeconfig)}\n`);
    return 0;
  },
};

function quoted(text: string): string {
  return /^[\w:/.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
