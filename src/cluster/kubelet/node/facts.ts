/** What the node is and has, read from the machine. */
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { NodeSystemInfo } from '#api/kube/types.ts';
import { hostPlatform } from '#core/images/platform.ts';

export interface NodeFacts {
  cpus: number;
  memoryBytes: number;
  diskBytes: number;
  info: NodeSystemInfo;
}

export const kubeVersion = 'v1.36.0';

export function nodeFacts(version: string, diskBytes: number, nodeName: string): NodeFacts {
  const machineId = readFirst('/etc/machine-id') || nodeName;
  return {
    cpus: cpus().length,
    memoryBytes: totalmem(),
    diskBytes,
    info: {
      architecture: hostPlatform().architecture,
      bootID: readFirst('/proc/sys/kernel/random/boot_id'),
      containerRuntimeVersion: `gantry://${version}`,
      kernelVersion: release(),
      kubeProxyVersion: '',
      kubeletVersion: kubeVersion,
      machineID: machineId,
      operatingSystem: 'linux',
      osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(readFirst('/etc/os-release'))?.[1] ?? 'Linux',
      systemUUID: readFirst('/sys/class/dmi/id/product_uuid') || machineId,
    },
  };
}

function readFirst(path: string): string {
  try {
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  } catch {
    return '';
  }
}
