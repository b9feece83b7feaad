/** Domains: nodes with the same value of a label (`topology.kubernetes.io/zone`, `kubernetes.io/hostname`). */
import type { LabelRequirement } from '#api/kube/labels.ts';
import { selectorOfObject } from '#api/kube/labels.ts';
import type { LabelSelector, Node, Pod } from '#api/kube/types.ts';
import type { ParsedLabelSelector } from '#api/kube/labels.ts';

/** How much of something is in each domain, by `key=value`. */
export class DomainCounts {
  readonly #counts = new Map<string, number>();

  add(node: Node, key: string, count: number): void {
    const domain = domainOf(node, key);
    if (domain !== undefined) this.#counts.set(domain, (this.#counts.get(domain) ?? 0) + count);
  }

  /** Undefined where the node is in no domain of the key. */
  at(node: Node, key: string): number | undefined {
    const domain = domainOf(node, key);
    return domain === undefined ? undefined : (this.#counts.get(domain) ?? 0);
  }

  get size(): number {
    return this.#counts.size;
  }

  least(): number {
    return this.#counts.size === 0 ? 0 : Math.min(...this.#counts.values());
  }
}

function domainOf({ metadata }: Node, key: string): string | undefined {
  const value = metadata.labels?.[key];
  return value === undefined ? undefined : `${key}=${value}`;
}

/** A selector in a pod, narrowed to pods that have the pod's own values of `same`, and not those of `different`. */
export function selectorFor(pod: Pod, selector: LabelSelector | undefined, same: readonly string[] = [], different: readonly string[] = []): ParsedLabelSelector | undefined {
  const parsed = selectorOfObject(selector);
  const own = (keys: readonly string[], operator: 'in' | 'notin'): LabelRequirement[] =>
    keys.flatMap((key) => {
      const value = pod.metadata.labels?.[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  return parsed && [...parsed, ...own(same, 'in'), ...own(different, 'notin')];
}
