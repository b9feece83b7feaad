/** For tests of this and of higher rooms: a root file system of busybox, and containers on the real kernel in it. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { systemClock } from '#lib/clock.ts';
import { createLogger } from '#lib/log.ts';
import type { OpenRecords } from '#core/store/records.types.ts';
import { createRecords } from '#core/store/records.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { linuxKernel } from '#sys/linux.ts';
import type { Kernel } from '#sys/types.ts';
import { collectOutput } from './collect.ts';
import { openContainers } from './open.ts';
import type { Containers, ContainerSpec, ExecSession, ProcessSpec } from './types.ts';

const busybox = '/bin/busybox';
const applets = 'sh true false cat echo env grep head id kill ls mkdir mount mv ps pwd rm seq sleep sort stat stty tail tee test touch tr trap umount wc wget nc nslookup hostname ip ping httpd od dd date chmod chown ln readlink cut awk sed uname yes timeout';

/** Why real containers cannot run here; undefined where they can. */
export function whyNoContainers(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it needs root on Linux';
  for (const path of [busybox, '/usr/bin/crun', '/usr/bin/conmon']) {
    if (!existsSync(path)) return `${path} is not installed`;
  }
  return undefined;
}

/** Makes a root file system at `directory`: busybox-static and the accounts root and app (1000, groups app and audio). */
export function makeBusyboxRoot(directory: string): string {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'home/app']) mkdirSync(join(directory, name), { recursive: true });
  copyFileSync(busybox, join(directory, 'bin/busybox'));
  for (const applet of applets.split(' ')) {
    if (!existsSync(join(directory, 'bin', applet))) symlinkSync('busybox', join(directory, 'bin', applet));
  }
  writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n');
  writeFileSync(join(directory, 'etc/group'), 'root:x:0:\napp:x:1000:\naudio:x:29:app\n');
  return directory;
}

export interface TestBed {
  directory: string;
  rootfs: string;
  kernel: Kernel;
  records: OpenRecords;
  containers: Containers;
  /** Lines that were logged. */
  logged: string[];
  /** A spec that runs `args`, with a log. */
  spec(id: string, args: readonly string[], changes?: Partial<ContainerSpec>, process?: Partial<ProcessSpec>): ContainerSpec;
  /** Opens the same containers anew, as a daemon does that was killed. */
  reopen(): Promise<void>;
  /** Removes all containers and what they left. */
  end(): Promise<void>;
}

/** Containers on the real kernel under a temporary directory. Call `end` after. */
export async function openTestBed(): Promise<TestBed> {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-containers-'));
  const kernel = linuxKernel();
  kernel.cgroups.mountMissing();
  const records = createRecords(createMemoryStore());
  const instance = basename(directory);
  const logged: string[] = [];
  const open = (): Promise<Containers> =>
    openContainers({
      root: join(directory, 'containers'),
      kernel,
      records,
      log: createLogger({ write: (line) => logged.push(line) }),
      clock: systemClock,
      instance,
      runtimePath: '/usr/bin/crun',
      conmonPath: '/usr/bin/conmon',
    });
  const bed: TestBed = {
    directory,
    rootfs: makeBusyboxRoot(join(directory, 'rootfs')),
    kernel,
    records,
    containers: await open(),
    logged,
    spec: (id, args, changes = {}, process = {}) => ({
      id,
      owner: 'test',
      rootfs: bed.rootfs,
      process: { args, env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 }, ...process },
      logPath: join(directory, `${id}.log`),
      ...changes,
    }),
    async reopen() {
      await bed.containers.close();
      bed.containers = await open();
    },
    async end() {
      for (const { id } of bed.containers.list()) await bed.containers.remove(id);
      await bed.containers.close();
      await kernel.cgroups.remove(instance);
      kernel.mounts.unmountTree(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return bed;
}

/** Runs a command in a container to its end. */
export async function execute(containers: Containers, id: string, args: readonly string[], changes: Partial<ProcessSpec> = {}): Promise<{ code: number; stdout: string; stderr: string }> {
  const process = { args, env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 }, ...changes };
  const session: ExecSession = await containers.exec(id, { process, attach: true });
  const output = await collectOutput(session.streams!);
  return { ...(await session.exited), ...output };
}
