/**
 * dockerd of Debian as a peer. Its packages are unpacked in a cache, not installed. It runs in network, mount and process
 * namespaces of its own, with a /run of its own, so that nothing of it stays on the host but its cgroups, which `end` removes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processesLike } from './memory.ts';
import { unpacked } from './packages.ts';
import { dockerAt, type Peer } from './peer.ts';

/** With iptables, which it calls, and the libraries of that. */
const packages = ['docker.io', 'containerd', 'runc', 'iptables', 'libip4tc2', 'libip6tc2', 'libxtables12', 'libnftnl11', 'libnetfilter-conntrack3', 'libnfnetlink0'];
/** Tenths of a second that dockerd may take to answer. */
const startTenths = 300;

const script = `
mount -t tmpfs tmpfs /run && ip link set lo up || exit 1
dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/docker.sock" \\
  --cgroup-parent "/$2" --bip 172.31.250.1/24 >"$1/log" 2>&1
`;

/** Command lines of dockerd and its containerd, and of the shims that stay beside each container. */
const engine = (state: string): RegExp => new RegExp(`^\\S*(dockerd|containerd) .*${state}/`);
const shims = (state: string): RegExp => new RegExp(`^\\S*containerd-shim\\S* .*${state}/`);

/** The environment in which its programs are found, and what they load. */
function programsOf(root: string): NodeJS.ProcessEnv {
  const [libraries = ''] = readdirSync(join(root, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu')).map((name) => join(root, 'usr/lib', name));
  for (const name of ['iptables', 'ip6tables']) {
    // as Debian's alternatives would, which only an installation sets
    if (!existsSync(join(root, 'usr/sbin', name))) symlinkSync(`${name}-nft`, join(root, 'usr/sbin', name));
  }
  return { ...process.env, PATH: `${root}/usr/sbin:${root}/usr/bin:${process.env.PATH}`, LD_LIBRARY_PATH: libraries, XTABLES_LIBDIR: join(libraries, 'xtables') };
}

export async function startDockerd(): Promise<Peer> {
  const root = await unpacked('dockerd', packages);
  const state = mkdtempSync(join(tmpdir(), 'gantry-bench-dockerd-'));
  const cgroup = `gantry-bench-${process.pid}`;
  const env = programsOf(root);
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
    if (version) return { name: 'dockerd', version: version.stdout.trim(), pids: () => processesLike(engine(state)), supervisors: () => processesLike(shims(state)), ...client, end };
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

function removeCgroups(name: string): void {
  const hierarchies = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup', { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => join('/sys/fs/cgroup', e.name))];
  for (const top of hierarchies.map((h) => join(h, name)).filter((path) => existsSync(path))) {
    for (const below of readdirSync(top, { withFileTypes: true })) if (below.isDirectory()) rmdirSync(join(top, below.name));
    rmdirSync(top);
  }
}
