/** Linux capabilities: their names in bit order (linux/capability.h), Docker's default set, and what this host has. */
import { readFileSync } from 'node:fs';
import { Fault } from '#lib/errors.ts';

export const capabilityNames = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP',
  'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER',
  'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE',
  'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP',
  'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF',
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

export const defaultCapabilities: readonly string[] = [
  'CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP',
  'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE',
].map((name) => `CAP_${name}`);

/** `net_admin`, `NET_ADMIN` or `CAP_NET_ADMIN` as `CAP_NET_ADMIN`; `ALL` stays. Unknown names are `invalid`. */
export function normalizeCapability(name: string): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return upper;
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!capabilityNames.includes(full)) throw new Fault('invalid', `invalid capability: unknown capability to add or drop: "${name}"`);
  return full;
}

/** Docker's and Kubernetes' rule: `base` (default: Docker's set) without `drop`, with `add`; `ALL` in either means all. */
export function combineCapabilities(add: readonly string[], drop: readonly string[], base: readonly string[] = defaultCapabilities): string[] {
  const adds = add.map(normalizeCapability);
  const drops = drop.map(normalizeCapability);
  const start = adds.includes('ALL') ? capabilityNames : drops.includes('ALL') ? [] : base;
  const kept = start.filter((name) => !drops.includes(name));
  const extra = adds.filter((name) => name !== 'ALL' && !kept.includes(name));
  return [...kept, ...new Set(extra)];
}

/** What this process could give to a child: its bounding set. */
export function hostCapabilities(status: string = readFileSync('/proc/self/status', 'utf8')): Set<string> {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return new Set(capabilityNames.filter((_, bit) => (mask >> BigInt(bit)) & 1n));
}
