import type { Clock } from '#lib/clock.ts';
import type { FakePrograms } from './fake-process.ts';

/** A few of the programs that every image has, as far as tests use them. */
export function basicPrograms(clock: Clock): FakePrograms {
  return {
    true: ({ exit }) => exit(0),
    false: ({ exit }) => exit(1),
    echo: ({ args, write, exit }) => {
      write('stdout', `${args.slice(1).join(' ')}\n`);
      exit(0);
    },
    cat: ({ write, exit, onInput, onInputEnd }) => {
      onInput((data) => write('stdout', data));
      onInputEnd(() => exit(0));
    },
    sleep: ({ args, exit, ended }) => {
      const timer = clock.after(Number(args[1]) * 1000, () => exit(0));
      ended.addEventListener('abort', () => timer.cancel());
    },
    /** `exit N`, and `trap "exit N" TERM; …`, which then waits for ever. */
    sh: ({ args, exit, onSignal }) => {
      const script = args[2] ?? '';
      const now = /^exit (\d+)$/.exec(script);
      const trap = /^trap "exit (\d+)" TERM;/.exec(script);
      if (now) exit(Number(now[1]));
      if (trap) onSignal((signal) => signal === 15 && exit(Number(trap[1])));
    },
  };
}
