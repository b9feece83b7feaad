/** A real registry for tests: Debian's `docker-registry` on a port of its own. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programPath } from './programs.ts';

export interface TestRegistry {
  /** `127.0.0.1:<port>`. */
  host: string;
  end(): Promise<void>;
}

/** Why there is no registry on this machine, or undefined. */
export function registryMissing(): string | undefined {
  return programPath('docker-registry') ? undefined : 'docker-registry is not installed';
}

export function skopeoMissing(): string | undefined {
  try {
    execFileSync('skopeo', ['--version'], { stdio: 'ignore' });
    return registryMissing();
  } catch {
    return 'skopeo is not installed';
  }
}

/** With `htpasswd`, a file of bcrypt hashes, only who is in it is served. */
export async function startRegistry(options: { htpasswd?: string } = {}): Promise<TestRegistry> {
  const root = mkdtempSync(join(tmpdir(), 'registry-'));
  const port = await freePort();
  const config = [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${root}/data }, delete: { enabled: true } }`,
    `http: { addr: "127.0.0.1:${port}" }`,
    ...(options.htpasswd === undefined ? [] : [`auth: { htpasswd: { realm: test, path: ${root}/htpasswd } }`]),
  ].join('\n');
  if (options.htpasswd !== undefined) writeFileSync(join(root, 'htpasswd'), options.htpasswd);
  writeFileSync(join(root, 'config.yml'), config);
  const child = spawn('docker-registry', ['serve', join(root, 'config.yml')], { stdio: 'ignore' });
  const host = `127.0.0.1:${port}`;
  const end = async (): Promise<void> => {
    if (child.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(root, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 100; tries++) {
    const isUp = await fetch(`http://${host}/v2/`).then((response) => response.ok || response.status === 401, () => false);
    if (isUp) return { host, end };
    await sleep(50);
  }
  await end();
  throw new Error('docker-registry did not start');
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
