/**
 * crun compiles a seccomp filter for each container (12 ms for three architectures) and leaves it in its state
 * directory. The compiled filter of the same rules is handed to it the next time, by crun's annotation.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { RuntimeConfig } from '#api/oci/runtime.ts';
import type { ConmonPaths } from '../conmon/spawn.ts';

/** Filters kept, about 10 KiB each; the oldest goes first. */
const filterLimit = 64;
const annotation = 'run.oci.seccomp_bpf_data';

export class FilterCache {
  readonly #compiled = new Map<string, string>();
  readonly #paths: ConmonPaths;

  constructor(paths: ConmonPaths) {
    this.#paths = paths;
  }

  /** Puts the compiled filter into `config`. Returns the key to learn it by, where it is not known yet. */
  apply(config: RuntimeConfig): string | undefined {
    const { seccomp } = config.linux;
    if (!seccomp || basename(this.#paths.runtime) !== 'crun') return undefined;
    // one that the container brings is not what its rules say, and must not be learnt for them
    if (config.annotations?.[annotation] !== undefined) return undefined;
    const key = createHash('sha256').update(JSON.stringify(seccomp)).digest('hex');
    const filter = this.#compiled.get(key);
    if (filter === undefined) return key;
    config.annotations = { ...config.annotations, [annotation]: filter };
    return undefined;
  }

  /** Keeps the filter that crun made for container `id`. Without it the next container is slower, no more. */
  learn(key: string | undefined, id: string): void {
    if (key === undefined) return;
    try {
      this.#compiled.set(key, readFileSync(join(this.#paths.runtimeRoot, id, 'seccomp.bpf'), 'base64'));
    } catch {
      return;
    }
    const oldest = this.#compiled.keys().next();
    if (this.#compiled.size > filterLimit && !oldest.done) this.#compiled.delete(oldest.value);
  }
}
