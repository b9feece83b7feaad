import { closeSync, fstatSync, mkdirSync, writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import type { StartMessage } from '#api/gantry/status.ts';
import { systemClock } from '#lib/clock.ts';
import { messageOf } from '#lib/errors.ts';
import { createLogger } from '#lib/log.ts';
import { parseConfig } from './config.ts';
import { startDaemon } from './daemon.ts';
import { logWriter } from './log-file.ts';

/** The descriptor on which `up` listens for how the start goes on; none when the daemon is run by hand. */
const startDescriptor = 3;

/** Milliseconds after its start at which the daemon, then mostly idle, writes what it compiled of its modules. */
const compileCacheMs = 20_000;

/** The daemon's own process: runs until SIGTERM or SIGINT. Containers run on without it. */
export async function daemonMain(args: readonly string[]): Promise<number> {
  const config = parseConfig(args, process.env);
  mkdirSync(join(config.root, 'run'), { recursive: true, mode: 0o711 });
  const log = createLogger({ write: logWriter(join(config.root, 'run', 'daemon.log')), level: config.debug ? 'debug' : 'info' });
  const tell = startChannel();
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  process.on('uncaughtException', (error) => {
    log.error('uncaught exception: the daemon ends; containers run on', { error, stack: error.stack });
    process.exit(70);
  });
  try {
    const daemon = await startDaemon(config, log, (stage) => tell({ stage }));
    tell({ ready: daemon.file });
    tell.end();
    // so that the next start loads them compiled, even after a kill
    systemClock.after(compileCacheMs, flushCompileCache).unref();
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    });
    log.info('stopping');
    await daemon.stop();
    log.info('stopped');
    process.exit(0);
  } catch (error) {
    log.error('start failed', { error, stack: error instanceof Error ? error.stack : undefined });
    tell({ error: messageOf(error) });
    tell.end();
    process.exit(1);
  }
}

type Tell = ((message: StartMessage) => void) & { end(): void };

function isPipe(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isSocket() || stats.isFIFO();
  } catch {
    return false;
  }
}

function startChannel(): Tell {
  let open = isPipe(startDescriptor);
  // at once, for an exit may follow
  const attempt = (action: () => void): void => {
    try {
      if (open) action();
    } catch {
      open = false; // nobody listens: the daemon is run by hand, or its `up` was interrupted
    }
  };
  const tell = (message: StartMessage): void => attempt(() => writeSync(startDescriptor, `${JSON.stringify(message)}\n`));
  return Object.assign(tell, { end: () => attempt(() => closeSync(startDescriptor)) });
}
