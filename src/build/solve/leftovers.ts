/** The marks of steps under way, so that what a crash cut off can be found and removed: a file each, named by the step's id. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuilderOptions } from '../types.ts';

function marks(root: string): string {
  return join(root, 'steps');
}

/** Runs a step under its mark. */
export async function marked<T>(root: string, id: string, step: () => Promise<T>): Promise<T> {
  const mark = join(marks(root), id);
  await mkdir(marks(root), { recursive: true, mode: 0o700 });
  await writeFile(mark, '');
  try {
    return await step();
  } finally {
    await rm(mark, { force: true });
  }
}

/** Removes what builds that were cut off by a crash left: containers, their networks, snapshots, contexts. */
export async function removeLeftovers(options: BuilderOptions): Promise<void> {
  for (const id of await readdir(marks(options.root)).catch(() => [])) {
    options.log.info('removing what a build that was cut off left', { step: id });
    await options.containers.remove(id);
    const bridge = options.networks.get('bridge');
    if (bridge) await options.networks.detach(bridge.id, id);
    await options.sandboxes.remove(id);
    await options.snapshots.remove(id);
    await rm(join(marks(options.root), id), { force: true });
  }
  for (const left of ['contexts', 'runs']) await rm(join(options.root, left), { recursive: true, force: true });
}
