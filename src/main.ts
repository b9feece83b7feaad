/** The first word of the command line decides which room is loaded; nothing else happens here. */
import { inspect } from 'node:util';
import { isFault, messageOf } from '#lib/errors.ts';
import { resolveOwnModules } from '#lib/own-modules.ts';

resolveOwnModules();

const [word = 'help', ...args] = process.argv.slice(2);

async function run(): Promise<number> {
  switch (word) {
    case 'daemon':
      return (await import('#daemon/main.ts')).daemonMain(args);
    case 'agent':
      return (await import('#daemon/nodes/agent.ts')).agentMain(args);
    case 'up':
      return (await import('#daemon/up.ts')).up(args);
    case 'down':
      return (await import('#daemon/down.ts')).down(args);
    case 'doctor':
      return (await import('#daemon/doctor.ts')).doctor(args);
    case 'demo': {
      const { up } = await import('#daemon/up.ts');
      const { demo } = await import('#cli/commands/demo/demo.ts');
      return demo(args, up);
    }
    default:
      return (await import('#cli/main.ts')).cli(word, args);
  }
}

run().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const debug = process.argv.includes('--debug');
    const text = debug ? inspect(error) : messageOf(error);
    process.stderr.write(`gantry: ${isFault(error) || debug ? text : `internal error: ${text} (call again with --debug for the stack)`}\n`);
    process.exitCode = 1;
  },
);
