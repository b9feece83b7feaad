import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '#lib/log.ts';
import { parseConfig } from './config.ts';
import { startDaemon } from './daemon.ts';
import { logWriter } from './log-file.ts';
import { runInBackground } from './process.ts';

/** The daemon's own process: runs until SIGTERM or SIGINT. Containers run on without it. */
export async function daemonMain(args: readonly string[]): Promise<number> {
  const config = parseConfig(args, process.env);
  mkdirSync(join(config.root, 'run'), { recursive: true, mode: 0o711 });
  const log = createLogger({ write: logWriter(join(config.root, 'run', 'daemon.log')), level: config.debug ? 'debug' : 'info' });
  return runInBackground(log, async (stage) => {
    const daemon = await startDaemon(config, log, stage);
    return { ready: daemon.file, stop: () => daemon.stop() };
  });
}
