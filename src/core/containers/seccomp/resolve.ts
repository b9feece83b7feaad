/** Turns a profile in Docker's form into the runtime's: conditions decided for this host and these capabilities. */
import { arch as hostArch, release as hostRelease } from 'node:os';
import type { RuntimeSeccomp, RuntimeSyscall } from '#api/oci/runtime.ts';
import { Fault } from '#lib/errors.ts';
import type { SeccompCondition, SeccompProfile, SeccompRule } from './types.ts';

export interface SeccompHost {
  /** Kernel release, `6.1.0-…`. */
  release: string;
  /** Go's name of the architecture (`amd64`), as profiles have it. */
  arch: string;
}

/** More rules than this: `too-large`. Docker's default profile has about 40. */
export const seccompRuleLimit = 4096;

const archNames: Record<string, [go: string, seccomp: string]> = {
  x64: ['amd64', 'X86_64'],
  arm64: ['arm64', 'AARCH64'],
  ia32: ['x86', 'X86'],
  arm: ['arm', 'ARM'],
  s390x: ['s390x', 'S390X'],
  ppc64: ['ppc64le', 'PPC64LE'],
  riscv64: ['riscv64', 'RISCV64'],
  loong64: ['loong64', 'LOONGARCH64'],
};

export function seccompHost(): SeccompHost {
  const arch = hostArch();
  return { release: hostRelease(), arch: archNames[arch]?.[0] ?? arch };
}

export function resolveSeccomp(profile: SeccompProfile, capabilities: readonly string[], host: SeccompHost): RuntimeSeccomp {
  const rules = profile.syscalls ?? [];
  if (rules.length > seccompRuleLimit) throw new Fault('too-large', `a seccomp profile may have ${seccompRuleLimit} rules; this one has ${rules.length}`);
  const holds = (rule: SeccompRule): boolean =>
    allMet(rule.includes, capabilities, host) && !(rule.excludes && anyMet(rule.excludes, capabilities, host));
  const resolved: RuntimeSeccomp = { defaultAction: profile.defaultAction, syscalls: rules.filter(holds).map(toRuntime) };
  if (profile.defaultErrnoRet !== undefined) resolved.defaultErrnoRet = profile.defaultErrnoRet;
  const architectures = profile.architectures?.length ? [...profile.architectures] : mapArchitectures(profile, host);
  if (architectures.length > 0) resolved.architectures = architectures;
  if (profile.flags?.length) resolved.flags = [...profile.flags];
  return resolved;
}

/** A profile from outside (`--security-opt seccomp=…`), checked in its outline; the runtime checks the names. */
export function parseSeccompProfile(value: unknown): SeccompProfile {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const profile = value as Partial<SeccompProfile>;
  if (!isObject || typeof profile.defaultAction !== 'string') {
    throw new Fault('invalid', 'invalid seccomp profile: it must be an object with a defaultAction, such as "SCMP_ACT_ERRNO"');
  }
  const syscalls: unknown = profile.syscalls ?? [];
  if (!Array.isArray(syscalls)) throw new Fault('invalid', 'invalid seccomp profile: syscalls must be a list');
  syscalls.forEach((rule: SeccompRule | null, index) => {
    const named = rule !== null && (Array.isArray(rule.names) || typeof rule.name === 'string');
    if (!named || typeof rule.action !== 'string') {
      throw new Fault('invalid', `invalid seccomp profile: syscalls[${index}] must have names and an action`);
    }
  });
  if (profile.architectures?.length && profile.archMap?.length) {
    throw new Fault('invalid', "invalid seccomp profile: 'architectures' and 'archMap' were specified in the profile, use either 'architectures' or 'archMap'");
  }
  return profile as SeccompProfile;
}

function toRuntime(rule: SeccompRule): RuntimeSyscall {
  const names = rule.names ? [...rule.names] : [];
  if (rule.name !== undefined) names.push(rule.name);
  const syscall: RuntimeSyscall = { names, action: rule.action };
  if (rule.errnoRet !== undefined) syscall.errnoRet = rule.errnoRet;
  if (rule.args?.length) syscall.args = rule.args.map((argument) => ({ ...argument }));
  return syscall;
}

function allMet(condition: SeccompCondition | undefined, capabilities: readonly string[], host: SeccompHost): boolean {
  if (!condition) return true;
  if (condition.arches?.length && !condition.arches.includes(host.arch)) return false;
  if (!(condition.caps ?? []).every((name) => capabilities.includes(name))) return false;
  return condition.minKernel === undefined || kernelAtLeast(host.release, condition.minKernel);
}

function anyMet(condition: SeccompCondition, capabilities: readonly string[], host: SeccompHost): boolean {
  if (condition.arches?.includes(host.arch)) return true;
  if (condition.caps?.some((name) => capabilities.includes(name))) return true;
  return condition.minKernel !== undefined && kernelAtLeast(host.release, condition.minKernel);
}

function kernelAtLeast(release: string, least: string): boolean {
  const number = (text: string): number => {
    const match = /^(\d+)\.(\d+)/.exec(text);
    return match ? Number(match[1]) * 1000 + Number(match[2]) : 0;
  };
  return number(release) >= number(least);
}

function mapArchitectures(profile: SeccompProfile, host: SeccompHost): string[] {
  const native = Object.values(archNames).find(([go]) => go === host.arch)?.[1];
  const entry = profile.archMap?.find((candidate) => candidate.architecture === `SCMP_ARCH_${native}`);
  return entry ? [entry.architecture, ...(entry.subArchitectures ?? [])] : [];
}
