import type { Hierarchy } from './layout.ts';
import type { CgroupLimits, CgroupUsage } from './types.ts';

/** What differs between v1 and v2. `name` is a group's clean name; it exists unless said otherwise. */
export interface Driver {
  /** Makes the group `parts` of a hierarchy, and those above it, ready to hold processes. */
  make(hierarchy: Hierarchy, parts: readonly string[]): void;
  freeze(name: string, frozen: boolean): void;
  isFrozen(name: string): boolean;
  /** Undefined where the group is absent. */
  usage(name: string): CgroupUsage | undefined;
  update(name: string, limits: CgroupLimits): void;
  /** Ends all in the group and below at once; false where the kernel cannot. */
  killAll(name: string): boolean;
}
