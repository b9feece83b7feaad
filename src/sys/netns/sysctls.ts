import { Fault } from '#lib/errors.ts';
import type { PinnedKind } from './types.ts';

// Only what the kernel keeps apart for each namespace of the kind: any other name would change the host.
const namespaced: Readonly<Record<PinnedKind, RegExp>> = {
  net: /^net\/./,
  ipc: /^(kernel\/(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|msg_next_id|sem_next_id|shm_next_id)|fs\/mqueue\/\w+)$/,
  uts: /^kernel\/(hostname|domainname)$/,
};

/** The file of a kernel parameter below /proc/sys. `net.ipv4.ip_forward`, or with `/` where a part has a dot. */
export function sysctlFile(kind: PinnedKind, name: string): string {
  const path = name.includes('/') ? name : name.replaceAll('.', '/');
  const clean = /^[\w@:.*/-]+$/.test(path) && !path.split('/').some((part) => part === '' || part === '.' || part === '..');
  if (!clean || !namespaced[kind].test(path)) {
    throw new Fault('invalid', `the sysctl "${name}" is not separate in a namespace of kind ${kind}; set it on the host`);
  }
  return `/proc/sys/${path}`;
}
