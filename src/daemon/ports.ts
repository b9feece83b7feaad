import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf, isFault } from '#lib/errors.ts';
import { isNumber, isRecordOf, readStateFile } from '#lib/state-file.ts';

type Ports = Record<string, number>;

/**
 * Listens on the port of last time, for those who still know it: agents run on while the daemon is away. On another (0:
 * any) where that is taken.
 */
export async function withKeptPort<T extends { port: number }>(root: string, name: string, listen: (port: number) => Promise<T>): Promise<T> {
  const path = join(root, 'cluster', 'ports.json');
  const ports = read(path);
  const listener = await listen(ports[name] ?? 0).catch((error: unknown) => {
    const taken = codeOf(error) === 'EADDRINUSE' || isFault(error, 'conflict');
    if (!taken || !ports[name]) throw error;
    return listen(0);
  });
  if (listener.port !== ports[name]) write(path, { ...ports, [name]: listener.port });
  return listener;
}

function read(path: string): Ports {
  return readStateFile(path, (value) => isRecordOf(value, isNumber), 'the agents of nodes then find the daemon again by its new ports') ?? {};
}

function write(path: string, ports: Ports): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  writeFileSync(`${path}.new`, JSON.stringify(ports));
  renameSync(`${path}.new`, path);
}
