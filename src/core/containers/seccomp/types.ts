/** A seccomp profile in Docker's JSON form: OCI's, with rules that hold only for some capabilities, kernels, architectures. */
import type { RuntimeSyscallArg } from '#api/oci/runtime.ts';

export interface SeccompProfile {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: readonly string[];
  archMap?: readonly { architecture: string; subArchitectures?: readonly string[] | null }[];
  flags?: readonly string[];
  syscalls?: readonly SeccompRule[];
}

export interface SeccompRule {
  names?: readonly string[];
  /** Old form: one name. */
  name?: string;
  action: string;
  errnoRet?: number;
  args?: readonly RuntimeSyscallArg[] | null;
  includes?: SeccompCondition;
  excludes?: SeccompCondition;
}

export interface SeccompCondition {
  caps?: readonly string[];
  arches?: readonly string[];
  /** `4.8` */
  minKernel?: string;
}
