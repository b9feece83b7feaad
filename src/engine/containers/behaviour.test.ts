import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownChanges } from './changes.ts';
import { hostsFile, resolvFile } from './etc-files.ts';
import type { EtcInput } from './etc-files.ts';
import { healthPlan } from './health.ts';
import { humanDuration } from '../human.ts';
import { commandText } from './list.ts';
import type { ContainerRecord } from './record.ts';
import { restartDelay, startsWithEngine } from './restart-policy.ts';
import { parseNetDev } from './stats.ts';
import { parsePs } from './top.ts';

const exit = { exitCode: 1, manuallyStopped: false, restartCount: 0, ranMs: 50, lastDelay: 0 };

test('restarts back off from 100 ms to a minute, and begin anew after a steady run', () => {
  const policy = { Name: 'always' };
  let lastDelay = 0;
  const delays = Array.from({ length: 12 }, () => (lastDelay = restartDelay({ ...exit, policy, lastDelay }) ?? 0));
  assert.deepEqual(delays.slice(0, 4), [100, 200, 400, 800]);
  assert.equal(delays.at(-1), 60_000);
  assert.equal(restartDelay({ ...exit, policy, lastDelay: 60_000, ranMs: 10_000 }), 100);
});

test('who is started again, after an exit and with the engine', () => {
  const after = (Name: string, more: object = {}): boolean => restartDelay({ ...exit, policy: { Name, MaximumRetryCount: 2 }, ...more }) !== undefined;
  assert.deepEqual([after('no'), after('always'), after('unless-stopped'), after('on-failure')], [false, true, true, true]);
  assert.deepEqual([after('on-failure', { exitCode: 0 }), after('on-failure', { restartCount: 2 }), after('always', { manuallyStopped: true })], [false, false, false]);
  const engine = (Name: string, manuallyStopped: boolean): boolean => startsWithEngine({ policy: { Name }, exitCode: 0, restartCount: 0, manuallyStopped, everStarted: true });
  assert.equal(startsWithEngine({ policy: { Name: 'on-failure', MaximumRetryCount: 1 }, exitCode: 1, restartCount: 1, manuallyStopped: false, everStarted: true }), false);
  assert.deepEqual([engine('always', true), engine('unless-stopped', true), engine('unless-stopped', false), engine('no', false)], [true, false, true, false]);
  assert.equal(startsWithEngine({ policy: { Name: 'always' }, exitCode: 0, restartCount: 0, manuallyStopped: false, everStarted: false }), false);
});

test('durations in Docker\'s words', () => {
  const s = 1000;
  const words = [500, s, 59 * s, 60 * s, 119 * s, 3600 * s, 5400 * s, 47 * 3600 * s, 47.7 * 3600 * s, 49 * 3600 * s, 20 * 86400 * s, 100 * 86400 * s, 900 * 86400 * s].map(humanDuration);
  assert.deepEqual(words, ['Less than a second', '1 second', '59 seconds', 'About a minute', 'About a minute', 'About an hour', '2 hours', '47 hours', '2 days', '2 days', '2 weeks', '3 months', '2 years']);
});

test('a command in one line: only arguments with spaces are quoted', () => {
  assert.equal(commandText(['sh', '-c', 'sleep 1; ls', 'a;b', '$x']), "sh -c 'sleep 1; ls' a;b $x");
});

test('the mount points that the engine makes are no changes of the container', () => {
  const changes = [
    { path: '/dev', kind: 'modified' }, { path: '/dev/console', kind: 'added' }, { path: '/etc', kind: 'modified' }, { path: '/etc/hosts', kind: 'added' },
    { path: '/srv', kind: 'added' }, { path: '/srv/vol', kind: 'added' }, { path: '/tmp', kind: 'modified' }, { path: '/tmp/own', kind: 'added' },
  ] as const;
  const mounts = [{ type: 'volume', target: '/srv/vol', readOnly: false, propagation: '', mode: '' }] as const;
  assert.deepEqual(ownChanges({ mounts }, changes).map((c) => c.path), ['/tmp', '/tmp/own']);
  assert.deepEqual(ownChanges({ mounts: [] }, [{ path: '/etc', kind: 'modified' }, { path: '/etc/hosts', kind: 'deleted' }]).length, 2);
});

const etc = (change: Partial<EtcInput> = {}, hostConfig: object = {}): EtcInput => ({
  record: { id: 'c'.repeat(64), config: { Hostname: 'box' }, hostConfig } as unknown as ContainerRecord,
  endpoints: [],
  served: false,
  hostNetwork: false,
  hostGateway: '172.17.0.1',
  hostResolv: 'nameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch lan\noptions edns0\n',
  hostHosts: '127.0.0.1 me\n',
  ...change,
});

test('resolv.conf: the host\'s servers that a container can reach, --dns, or the name server of its networks', () => {
  assert.equal(resolvFile(etc()), 'nameserver 9.9.9.9\nsearch lan\noptions edns0\n');
  assert.equal(resolvFile(etc({ served: true })), 'nameserver 127.0.0.11\nsearch lan\noptions edns0 ndots:0\n');
  assert.equal(resolvFile(etc({}, { Dns: ['1.2.3.4'], DnsSearch: ['.'], DnsOptions: ['rotate'] })), 'nameserver 1.2.3.4\noptions rotate\n');
  assert.match(resolvFile(etc({ hostResolv: 'nameserver 127.0.0.1\n' })), /^nameserver 8\.8\.8\.8\n/);
  assert.match(resolvFile(etc({ hostNetwork: true })), /^nameserver 127\.0\.0\.53\n/);
});

test('hosts: extra ones, host-gateway, its own address', () => {
  const text = hostsFile(etc({}, { ExtraHosts: ['up:host-gateway', 'six:[::5]', 'eq=1.1.1.1'] }));
  assert.match(text, /\n172\.17\.0\.1\tup\n::5\tsix\n1\.1\.1\.1\teq\n/);
  assert.equal(hostsFile(etc({ hostNetwork: true })), '127.0.0.1 me\n');
});

test('health plans: defaults, shells, NONE', () => {
  assert.equal(healthPlan({ Test: ['NONE'] }, undefined), undefined);
  assert.equal(healthPlan(undefined, undefined), undefined);
  const plan = healthPlan({ Test: ['CMD-SHELL', 'x y'], Interval: 2e9 }, ['/bin/ash', '-c']);
  assert.deepEqual(plan, { command: ['/bin/ash', '-c', 'x y'], intervalMs: 2000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3 });
});

test('ps and net/dev, as the host writes them', () => {
  const ps = 'UID   PID  PPID CMD\nroot    1     0 init  with args\nroot   42     1 sh -c x\n';
  assert.deepEqual(parsePs(ps, new Set([42])), { Titles: ['UID', 'PID', 'PPID', 'CMD'], Processes: [['root', '42', '1', 'sh -c x']] });
  assert.throws(() => parsePs('UID CMD\n', new Set()), /Couldn't find PID/);
  const dev = 'Inter-|\n face |\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0: 10 2 0 1 0 0 0 0 20 3 0 0 0 0 0 0\n';
  assert.deepEqual(parseNetDev(dev), { eth0: { rx_bytes: 10, rx_packets: 2, rx_errors: 0, rx_dropped: 1, tx_bytes: 20, tx_packets: 3, tx_errors: 0, tx_dropped: 0 } });
});
