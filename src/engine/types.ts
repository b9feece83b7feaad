/**
 * The engine: Docker's behaviour on the nouns of core.
 *
 * A *container* here is Docker's: a record (config, host config, state) that outlives its runs. Each *run* of it is one
 * container of core/containers with the same id, in one sandbox with the same id. Life: `create` (record, active snapshot,
 * volumes filled) -> `start` (mount, sandbox, endpoints, ports, files, core create, attached clients connected, core start)
 * -> exit (state, endpoints left, unmounted; restarted by policy or, with AutoRemove, removed) -> `remove`.
 * Attach and wait come before start, on other connections, and are kept until a run serves them.
 *
 * One container's changes are serial (a keyed lock); what waits for a process holds no lock.
 */
import type { Containers } from '#core/containers/types.ts';
import type { Images } from '#core/images/types.ts';
import type { Logs } from '#core/logs/types.ts';
import type { Networks } from '#core/networks/types.ts';
import type { Sandboxes } from '#core/sandboxes/types.ts';
import type { Snapshots } from '#core/snapshots/types.ts';
import type { HostFiles } from '#core/snapshots/unpack/extract.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import type { Volumes } from '#core/volumes/types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';

export interface EngineOptions {
  /** Directory of the engine's own files: `<root>/containers/<id>/{hosts,hostname,resolv.conf,log}`. */
  root: string;
  openRecords: OpenRecords;
  containers: Containers;
  sandboxes: Sandboxes;
  networks: Networks;
  volumes: Volumes;
  images: Images;
  snapshots: Snapshots;
  logs: Logs;
  files: HostFiles;
  /** Runs a host program to its end (`ps` of `docker top`). */
  run(file: string, args: readonly string[]): Promise<{ code: number | null; stdout: Buffer; stderr: Buffer }>;
  clock: Clock;
  random: Random;
  log: Logger;
  host: HostFacts;
}

/** What `version` and `info` tell and the engine cannot see itself. */
export interface HostFacts {
  /** Gantry's version. */
  version: string;
  commit?: string;
  runtime: { name: string; path: string; version?: string };
  conmon?: { path: string; version?: string };
  cgroupVersion: 1 | 2;
  cgroupDriver: 'cgroupfs' | 'systemd';
  registryMirrors?: readonly string[];
  insecureRegistries?: readonly string[];
}
