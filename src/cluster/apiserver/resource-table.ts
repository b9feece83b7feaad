import type { Resource } from '#cluster/resources/types.ts';

/** The served resources by group, version and plural, in the order of their list (which discovery shows). */
export class ResourceTable {
  readonly all: readonly Resource[];
  #byPath = new Map<string, Resource>();
  #byKind = new Map<string, Resource>();

  constructor(resources: readonly Resource[]) {
    this.all = resources;
    for (const resource of resources) {
      this.#byPath.set(`${resource.group}/${resource.version}/${resource.plural}`, resource);
      this.#byKind.set(`${resource.group}/${resource.version}/${resource.kind}`, resource);
    }
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`);
  }

  byKind(group: string, version: string, kind: string): Resource | undefined {
    return this.#byKind.get(`${group}/${version}/${kind}`);
  }

  /** Groups in order of first appearance, each with its versions in order. */
  groups(): { group: string; versions: string[] }[] {
    const groups = new Map<string, Set<string>>();
    for (const { group, version } of this.all) {
      const versions = groups.get(group) ?? new Set();
      groups.set(group, versions.add(version));
    }
    return [...groups].map(([group, versions]) => ({ group, versions: [...versions] }));
  }

  of(group: string, version: string): Resource[] {
    return this.all.filter((resource) => resource.group === group && resource.version === version);
  }
}
