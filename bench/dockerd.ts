/**
 * dockerd of Debian as a peer. Its packages are unpacked in a cache, not installed. It runs in network, mount and process
 * namespaces of its own, with a /run of its own, so that nothing of it stays on the host but its cgroups, which `end` removes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { command } from './measure.ts';
import { dockerAt, type Peer } from './peer.ts';

const packages = ['docker.io', 'containerd', 'runc'];
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'gantry-bench');
/** Tenths of a second that dockerd may take to answer. */
const startTenths = 300;

/** Unpacks the packages once; answers the directory of their root. */
async function unpacked(): Promise<string> {
  const root = join(cache, 'dockerd');
  if (existsSync(root)) return root;
  const fresh = `${root}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  await command('sh', ['-c', `cd "$1" && apt-get download -q ${packages.join(' ')} && for p in *.deb; do dpkg -x "$p" . || exit 1; rm "$p"; done`, 'sh', fresh]);
  renameSync(fresh, root);
  return root;
}

const script = `
mount -t tmpfs tmpfs /run && ip link set lo up || exit 1
dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/docker.sock" \\
  --cgroup-parent "/$2" --bip 172.31.250.1/24 >"$1/log" 2>&1
`;

export async function startDockerd(): Promise<Peer> {
  const root = await unpacked();
  const state = mkdtempSync(join(tmpdir(), 'gantry-bench-dockerd-'));
  const cgroup = `gantry-bench-${process.pid}`;
  const env = { ...process.env, PATH: `${root}/usr/sbin:${root}/usr/bin:${process.env.PATH}` };
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const child = spawn('unshare', [...namespaces, 'sh', '-c', script, 'sh', state, cgroup], { env, stdio: 'ignore' });
  const end = async (): Promise<void> => {
    await ended(child);
    removeCgroups(cgroup);
    rmSync(state, { recursive: true, force: true });
  };
  const client = dockerAt(join(state, 'docker.sock'));
  for (let tenth = 0; ; tenth++) {
    const version = await client.docker('version', '--format', '{{.Server.Version}}').catch(() => undefined);
    if (version) return { name: 'dockerd', version: version.stdout.trim(), pids: () => engineProcesses(state), ...client, end };
    if (child.exitCode === null && tenth < startTenths) await sleep(100);
    else {
      const log = readFileSync(join(state, 'log'), 'utf8').trim().split('\n').slice(-5).join('\n');
      await end();
      throw new Error(`dockerd does not start here: ${log}`);
    }
  }
}

/** The first process of its namespace ends with `unshare`, and all others with that one. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  // the kernel takes the namespaces down after that
  await sleep(1000);
}

/** dockerd, its containerd, and the shims that stay beside each container. */
function engineProcesses(state: string): number[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandLine(pid).includes(state) && /^\S*(dockerd|containerd\S*) /.test(commandLine(pid))).map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function removeCgroups(name: string): void {
  const hierarchies = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup', { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => join('/sys/fs/cgroup', e.name))];
  for (const top of hierarchies.map((h) => join(h, name)).filter((path) => existsSync(path))) {
    for (const below of readdirSync(top, { withFileTypes: true })) if (below.isDirectory()) rmdirSync(join(top, below.name));
    rmdirSync(top);
  }
}
