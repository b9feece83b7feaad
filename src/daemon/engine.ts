import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBuilder } from '#build/builder.ts';
import { createDockerApi, type DockerApi } from '#docker-api/server.ts';
import { openEngine, type Engine } from '#engine/engine.ts';
import { nameServersOf, resolvConfForOthers, resolvedConfPath } from '#lib/dns/forward.ts';
import { version } from './config.ts';
import type { Runtime, Surroundings } from './runtime.ts';
import { connectionsOfDoor } from './open-files.ts';

export interface EngineDoor {
  engine: Engine;
  api: DockerApi;
  close(): Promise<void>;
}

/** Docker's behaviour and its door, on the runtime. */
export async function openEngineDoor(around: Surroundings, runtime: Runtime, socket: string): Promise<EngineDoor> {
  const { kernel, clock, random, log } = around;
  const engine = await openEngine({
    ...runtime,
    root: join(around.root, 'engine'),
    openRecords: runtime.records,
    files: kernel.files,
    run: (file, args) => kernel.processes.run(file, args, { timeoutMs: 10_000 }),
    clock,
    random,
    log,
    host: {
      version,
      runtime: { name: 'crun', path: '/usr/bin/crun' },
      conmon: { path: '/usr/bin/conmon' },
      cgroupVersion: kernel.cgroups.version(),
      cgroupDriver: 'cgroupfs',
      registryMirrors: around.registryMirrors,
      insecureRegistries: around.insecureRegistries,
    },
  });
  const build = await openBuilder({
    ...runtime,
    root: join(around.root, 'build'),
    files: kernel.files,
    clock,
    random,
    log,
    nameservers: () => hostNameServers(),
    onImage: (id, names) => {
      for (const name of names) engine.events.emit('image', 'tag', id, { name });
    },
  });
  const api = createDockerApi({ backends: { ...engine, build }, log: log.child('docker-api'), clock, connections: connectionsOfDoor(), version });
  await api.listen(socket);
  return {
    engine,
    api,
    async close() {
      await api.close();
      await engine.close();
    },
  };
}

/** The host's resolvers that a container can reach too: not those on its loopback. */
export function hostNameServers(): string[] {
  const resolved = existsSync(resolvedConfPath) ? readFileSync(resolvedConfPath, 'utf8') : '';
  const found = nameServersOf(resolvConfForOthers(readFileSync('/etc/resolv.conf', 'utf8'), resolved)).filter((s) => !/^(127\.|::1)/.test(s));
  return found.length > 0 ? found : ['8.8.8.8', '1.1.1.1'];
}
