import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultCapabilities } from '../capabilities.ts';
import { defaultProfile } from './default.ts';
import { parseSeccompProfile, resolveSeccomp } from './resolve.ts';

const host = { release: '6.1.0-13-amd64', arch: 'amd64' };
const ruleOf = (capabilities: readonly string[], name: string, on = host) =>
  resolveSeccomp(defaultProfile, capabilities, on).syscalls!.filter((rule) => rule.names.includes(name));

describe('seccomp', () => {
  it('allows by default what Docker allows', () => {
    assert.equal(defaultProfile.syscalls![0]!.names!.length, 361);
    const resolved = resolveSeccomp(defaultProfile, defaultCapabilities, host);
    assert.deepEqual(resolved.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    assert.deepEqual([resolved.defaultAction, resolved.defaultErrnoRet], ['SCMP_ACT_ERRNO', 1]);
    assert.equal(ruleOf(defaultCapabilities, 'mount').length, 0);
    assert.equal(ruleOf(defaultCapabilities, 'chroot').length, 1);
    assert.equal(ruleOf(defaultCapabilities, 'arch_prctl').length, 1);
    assert.equal(ruleOf(defaultCapabilities, 'set_tls').length, 0);
  });

  it('decides by capability, kernel and architecture', () => {
    assert.deepEqual(ruleOf([], 'clone3'), [{ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }]);
    assert.deepEqual(ruleOf([], 'clone')[0]!.args, [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]);
    assert.equal(ruleOf(['CAP_SYS_ADMIN'], 'clone').length, 1);
    assert.equal(ruleOf(['CAP_SYS_ADMIN'], 'clone')[0]!.args, undefined);
    assert.equal(ruleOf([], 'ptrace', { ...host, release: '4.4.0' }).length, 0);
    assert.equal(ruleOf([], 'ptrace').length, 1);
    assert.equal(ruleOf([], 'set_tls', { ...host, arch: 'arm64' }).length, 1);
  });

  it('refuses what is no profile', () => {
    for (const bad of [undefined, [], {}, { defaultAction: 'x', syscalls: [{}] }]) assert.throws(() => parseSeccompProfile(bad), /invalid seccomp profile/);
  });
});
