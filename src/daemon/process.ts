import { closeSync, fstatSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import type { StartMessage } from '#api/gantry/status.ts';
import { systemClock } from '#lib/clock.ts';
import { messageOf } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';

/** The descriptor on which it is heard how the start goes on (launch.ts); none when it is run by hand. */
const startDescriptor = 3;

/** Milliseconds after its start at which the process, then mostly idle, writes what it compiled of its modules. */
const compileCacheMs = 20_000;

export interface Running<Ready> {
  ready: Ready;
  stop: () => Promise<void>;
}

/** Starts a part of Gantry in this process and keeps it until SIGTERM or SIGINT; then the process ends. */
export async function runInBackground<Ready>(log: Logger, start: (stage: (text: string) => void) => Promise<Running<Ready>>): Promise<number> {
  const tell = startChannel<Ready>();
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  process.on('uncaughtException', (error) => {
    log.error('uncaught exception: this process ends; containers run on', { error, stack: error.stack });
    process.exit(70);
  });
  try {
    const { ready, stop } = await start((stage) => tell({ stage }));
    tell({ ready });
    tell.end();
    // so that the next start loads them compiled, even after a kill
    systemClock.after(compileCacheMs, flushCompileCache).unref();
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    });
    log.info('stopping');
    await stop();
    log.info('stopped');
    process.exit(0);
  } catch (error) {
    log.error('start failed', { error, stack: error instanceof Error ? error.stack : undefined });
    tell({ error: messageOf(error) });
    tell.end();
    process.exit(1);
  }
}

type Tell<Ready> = ((message: StartMessage<Ready>) => void) & { end(): void };

function isPipe(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isSocket() || stats.isFIFO();
  } catch {
    return false;
  }
}

function startChannel<Ready>(): Tell<Ready> {
  let open = isPipe(startDescriptor);
  // at once, for an exit may follow
  const attempt = (action: () => void): void => {
    try {
      if (open) action();
    } catch {
      open = false; // nobody listens: it is run by hand, or who started it was interrupted
    }
  };
  const tell = (message: StartMessage<Ready>): void => attempt(() => writeSync(startDescriptor, `${JSON.stringify(message)}\n`));
  return Object.assign(tell, { end: () => attempt(() => closeSync(startDescriptor)) });
}
