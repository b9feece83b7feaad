interface Version<T> {
  value: T;
  revision: number;
  /** When the controllers were told of what came after. */
  leftAt: number | undefined;
}

/** What was so of objects, by uid, newest last: as long as a controller may still act by it. */
export class Versions<T> {
  readonly #all = new Map<string, Version<T>[]>();
  readonly #keptMs: number;

  /** @param keptMs how long it is remembered after the controllers know better */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  add(uid: string, value: T, revision: number): void {
    const all = this.#all.get(uid) ?? [];
    if (JSON.stringify(all.at(-1)?.value) !== JSON.stringify(value)) this.#all.set(uid, [...all, { value, revision, leftAt: undefined }]);
  }

  /** The controllers were told of all changes up to a revision. */
  told(revision: number, now: number): void {
    for (const [uid, all] of this.#all) {
      if (all.length === 1) continue;
      for (const [i, one] of all.entries()) if ((all[i + 1]?.revision ?? Infinity) <= revision) one.leftAt ??= now;
      const oldest = all[0]?.leftAt;
      if (oldest !== undefined && oldest < now - this.#keptMs) this.#all.set(uid, all.slice(1));
    }
  }

  /** Those that a controller may have acted by since then. */
  since(uid: string, at: number): T[] {
    return (this.#all.get(uid) ?? []).filter(({ leftAt }) => leftAt === undefined || leftAt >= at).map(({ value }) => value);
  }
}
