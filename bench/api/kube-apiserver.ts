/**
 * The peer: kube-apiserver, built from its Go modules into the bench's cache, on an etcd from Debian. Both are processes in
 * a directory of their own, with data on the same disk as Gantry's. Clients are those of Gantry's authority.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatKubeconfig } from '#client/kube/kubeconfig.ts';
import { httpKubeClient } from '#client/kube/http.ts';
import { command } from '../measure.ts';
import { cache, unpacked } from '../packages.ts';
import type { ApiPeer } from './server.ts';

const version = '1.36.3';
/** Its staging modules have the same number, below 0. */
const staging = `v0.${version.slice(2)}`;
const program = join(cache, `kube-apiserver-${version}`);
/** Tenths of a second that it may take to be ready. */
const startTenths = 600;

export function isBuilt(): boolean {
  return existsSync(program);
}

/** Builds it with the Go toolchain of this machine: some ten minutes of two cores. */
export async function buildKubeApiserver(): Promise<void> {
  const module = join(cache, 'kube-apiserver.build');
  const main = `module k8s.io/kubernetes@v${version}`;
  mkdirSync(module, { recursive: true });
  const { stdout } = await command('go', ['mod', 'download', '-json', main.slice('module '.length)]);
  const { GoMod, Dir } = JSON.parse(stdout) as { GoMod: string; Dir: string };
  const names = [...readFileSync(GoMod, 'utf8').matchAll(/^\s+(k8s\.io\/\S+) v0\.0\.0$/gm)].map((match) => match[1]);
  const replace = names.map((name) => `replace ${name} => ${name} ${staging}\n`).join('');
  writeFileSync(join(module, 'go.mod'), `module bench\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v${version}\n\n${replace}`);
  writeFileSync(join(module, 'go.sum'), readFileSync(join(Dir, 'go.sum')));
  writeFileSync(join(module, 'main.go'), 'package main\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver/app"\n\nfunc main() {}\n');
  const stamp = `-X k8s.io/component-base/version.gitVersion=v${version} -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36`;
  await command('sh', ['-c', 'cd "$1" && go mod tidy -e && nice go build -ldflags "$2" -o kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver', 'sh', module, stamp]);
  renameSync(join(module, 'kube-apiserver'), program);
  rmSync(module, { recursive: true });
}

export interface ClientIdentity {
  /** PEM. */
  authority: string;
  certificate: string;
  key: string;
}

export async function startKubeApiserver(identity: ClientIdentity): Promise<ApiPeer> {
  const etcd = join(await unpacked('etcd', ['etcd-server']), 'usr', 'bin', 'etcd');
  const state = mkdtempSync(join(tmpdir(), 'gantry-bench-kube-'));
  const children: ChildProcess[] = [];
  const end = async (): Promise<void> => {
    for (const child of children.toReversed()) await ended(child);
    rmSync(state, { recursive: true, force: true });
  };
  const start = (file: string, args: readonly string[]): void => {
    const log = openSync(join(state, 'log'), 'a');
    children.push(spawn(file, args, { stdio: ['ignore', log, log] }));
  };
  try {
    const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
    const etcdUrl = `http://127.0.0.1:${client}`;
    const peerUrl = `http://127.0.0.1:${peer}`;
    start(etcd, ['--data-dir', join(state, 'etcd'), '--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl, '--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `default=${peerUrl}`]);
    start(program, serverArgs(state, identity, etcdUrl, port));
    const access = { server: `https://127.0.0.1:${port}`, certificate: identity.certificate, key: identity.key };
    const ca = await ready(state, access, children);
    const kubeconfig = join(state, 'kubeconfig');
    writeFileSync(kubeconfig, formatKubeconfig({ ...access, ca }), { mode: 0o600 });
    return { name: 'kube-apiserver', version, access: { ...access, ca, userAgent: 'bench' }, kubeconfig, pids: () => children.map((child) => child.pid!), end };
  } catch (error) {
    await end();
    throw error;
  }
}

function serverArgs(state: string, identity: ClientIdentity, etcdUrl: string, port: number): string[] {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(join(state, 'sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(join(state, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(join(state, 'clients.crt'), identity.authority);
  const options = {
    'etcd-servers': etcdUrl,
    'secure-port': port,
    'bind-address': '127.0.0.1',
    'cert-dir': join(state, 'pki'),
    'client-ca-file': join(state, 'clients.crt'),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': join(state, 'sa.pub'),
    'service-account-signing-key-file': join(state, 'sa.key'),
    'service-cluster-ip-range': '10.254.0.0/16',
    'authorization-mode': 'Node,RBAC',
    // its controller is not there to make the accounts
    'disable-admission-plugins': 'ServiceAccount',
  };
  return Object.entries(options).map(([name, value]) => `--${name}=${value}`);
}

/** Answers the certificate that it serves with. */
async function ready(state: string, access: ApiPeer['access'], children: readonly ChildProcess[]): Promise<string> {
  for (let tenth = 0; ; tenth++) {
    const certificate = join(state, 'pki', 'apiserver.crt');
    if (existsSync(certificate)) {
      const ca = readFileSync(certificate, 'utf8');
      const client = httpKubeClient({ ...access, ca });
      const answer = await client.request('GET', '/api/v1/namespaces/default').catch(() => undefined);
      client.close();
      if (answer !== undefined) return ca;
    }
    if (tenth > startTenths || children.some((child) => child.exitCode !== null)) {
      const log = readFileSync(join(state, 'log'), 'utf8').trim().split('\n').slice(-5).join('\n');
      throw new Error(`kube-apiserver does not start here: ${log}`);
    }
    await sleep(100);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
