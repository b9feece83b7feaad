/** Devices of a container: nodes to make and rules of the device cgroup. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeDevice, RuntimeDeviceRule } from '#api/oci/runtime.ts';
import { codeOf, Fault } from '#lib/errors.ts';
import type { DeviceSpec } from '../types.ts';

/** More device nodes than this from one request: `too-large`. */
export const deviceLimit = 4096;

/** Below /dev, what is mounted for each container anew or belongs to the host's terminals. */
const notDevices = new Set(['pts', 'shm', 'mqueue', 'fd', '.lxc', '.lxd-mounts', '.udev', 'console']);

const charType = 0o020000;
const blockType = 0o060000;
const typeMask = 0o170000;

/** The node at `hostPath` (links followed), to appear at `path`; undefined where it is no device. */
function deviceAt(hostPath: string, path: string): RuntimeDevice | undefined {
  const stat = statSync(hostPath);
  const kind = stat.mode & typeMask;
  if (kind !== charType && kind !== blockType) return undefined;
  // glibc's encoding of dev_t.
  const major = ((stat.rdev >> 8) & 0xfff) | (Math.floor(stat.rdev / 2 ** 32) & ~0xfff);
  const minor = (stat.rdev & 0xff) | (Math.floor(stat.rdev / 2 ** 12) & ~0xff & 0xffffff);
  return { type: kind === charType ? 'c' : 'b', path, major, minor, fileMode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
}

/** The nodes of `spec`: one, or those below a directory. */
export function resolveDevices(spec: DeviceSpec): RuntimeDevice[] {
  if (!/^r?w?m?$/.test(spec.access) || spec.access === '') {
    throw new Fault('invalid', `invalid device mode "${spec.access}" of ${spec.hostPath}: use some of r, w, m, in this order`);
  }
  try {
    if (statSync(spec.hostPath).isDirectory()) return devicesBelow(spec.hostPath, spec.path);
    const device = deviceAt(spec.hostPath, spec.path);
    if (device) return [device];
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'no such file or directory' : String(error);
    throw new Fault('invalid', `error gathering device information while adding custom device "${spec.hostPath}": ${why}`, { cause: error });
  }
  throw new Fault('invalid', `error gathering device information while adding custom device "${spec.hostPath}": not a device node`);
}

/** Every device of the host, for a privileged container. */
export function hostDevices(): RuntimeDevice[] {
  return devicesBelow('/dev', '/dev');
}

function devicesBelow(directory: string, target: string): RuntimeDevice[] {
  const found: RuntimeDevice[] = [];
  const visit = (from: string, to: string): void => {
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      if (from === '/dev' && notDevices.has(entry.name)) continue;
      const path = join(from, entry.name);
      if (entry.isDirectory()) visit(path, join(to, entry.name));
      else if (entry.isCharacterDevice() || entry.isBlockDevice()) {
        const device = deviceAt(path, join(to, entry.name));
        if (device) found.push(device);
      }
      if (found.length > deviceLimit) throw new Fault('too-large', `${directory} holds more than ${deviceLimit} devices; name those that the container needs`);
    }
  };
  visit(directory, target);
  return found;
}

export function allowDevice(device: RuntimeDevice, access: string): RuntimeDeviceRule {
  return { allow: true, type: device.type === 'b' ? 'b' : 'c', major: device.major, minor: device.minor, access };
}

/** Docker's `--device-cgroup-rule`: `c 1:3 rwm`, `*` for any number. */
export function parseDeviceRule(rule: string): RuntimeDeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(rule);
  if (!match) throw new Fault('invalid', `invalid device cgroup rule format: '${rule}'`);
  const [, type, major, minor, access] = match;
  const parsed: RuntimeDeviceRule = { allow: true, type: type as 'a' | 'b' | 'c', access };
  if (major !== '*') parsed.major = Number(major);
  if (minor !== '*') parsed.minor = Number(minor);
  return parsed;
}
