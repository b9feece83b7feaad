/** Docker's door over backends that a test makes: open while the tests of the file run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { Backends } from '#docker-api/backends.ts';
import type { DockerApi } from '#docker-api/server.ts';
import { createDockerApi } from '#docker-api/server.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';

/** Gives the socket's path. `backends` has only what the tests reach. */
export function serveDoor(backends: object): string {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-door-'));
  const socketPath = join(directory, 'docker.sock');
  let api: DockerApi;
  before(async () => {
    api = createDockerApi({ backends: backends as Backends, log: silentLogger, clock: systemClock, version: '0.0.0' });
    await api.listen(socketPath);
  });
  after(async () => {
    await api.close();
    rmSync(directory, { recursive: true });
  });
  return socketPath;
}
