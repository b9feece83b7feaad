import { codeOf } from '#lib/errors.ts';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { faulting, nodeFault } from '../errno.ts';
import type { Mounts } from '../mount/types.ts';
import type { Layout } from './layout.ts';
import { parseControllers } from './layout.ts';

const top = '/sys/fs/cgroup';

/** Mounts what the kernel offers and nobody mounted: v1 controllers beside others of v1, or cgroup2 where there is nothing. */
export function mountMissing(mounts: Mounts, layout: Layout, controllersFile: string): string[] {
  if (layout.hierarchies.length === 0) {
    mounts.mount('cgroup2', top, 'cgroup2', ['nosuid', 'nodev', 'noexec']);
    return ['cgroup2'];
  }
  if (layout.version === 2) return [];
  // Beside the others, wherever they are.
  const beside = dirname(layout.hierarchies.find((each) => !each.unified)?.path ?? `${top}/any`);
  // What no v1 hierarchy has taken is the unified one's, where the OCI runtime takes none beside v1.
  const have = new Set(layout.hierarchies.filter((each) => !each.unified).flatMap((each) => each.controllers));
  const missing = readControllers(controllersFile).filter((each) => each.enabled && !have.has(each.name));
  for (const { name } of missing) {
    const directory = join(beside, name);
    faulting(`make ${directory}`, () => mkdirSync(directory, { recursive: true }));
    mounts.mount('cgroup', directory, 'cgroup', ['nosuid', 'nodev', 'noexec', name]);
  }
  return missing.map((each) => each.name);
}

function readControllers(file: string): ReturnType<typeof parseControllers> {
  try {
    return parseControllers(readFileSync(file, 'utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []; // a kernel without v1
    throw nodeFault(error, `read ${file}`);
  }
}
