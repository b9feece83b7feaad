/** Policy rules and what they allow; the matching of role-based access control. */
import type { PolicyRule } from '#api/kube/types.ts';
import type { Attributes, ResourceAttributes } from '../types.ts';

const all = '*';

export function ruleAllows(rule: PolicyRule, request: Attributes): boolean {
  if (!has(rule.verbs, request.verb)) return false;
  return request.resource ? resourceAllowed(rule, request.resource) : pathAllowed(rule.nonResourceURLs ?? [], request.path ?? '');
}

function resourceAllowed(rule: PolicyRule, wanted: ResourceAttributes): boolean {
  if (!has(rule.apiGroups ?? [], wanted.group)) return false;
  if (!(rule.resources ?? []).some((pattern) => resourceMatches(pattern, wanted))) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || (wanted.name !== '' && names.includes(wanted.name));
}

// A pattern is `pods`, `pods/log`, `*` (all, their subresources too) or `*/scale` (that subresource of all).
function resourceMatches(pattern: string, { resource, subresource }: ResourceAttributes): boolean {
  if (pattern === all) return true;
  if (subresource === '') return pattern === resource;
  return pattern === `${resource}/${subresource}` || pattern === `*/${subresource}`;
}

function pathAllowed(patterns: readonly string[], path: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith(all) ? path.startsWith(pattern.slice(0, -1)) : pattern === path));
}

function has(values: readonly string[], wanted: string): boolean {
  return values.includes(all) || values.includes(wanted);
}

/** The parts of `wanted` that `owned` does not cover: what a user would gain beyond their own rights. */
export function uncovered(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(split).filter((single) => !owned.some((rule) => covers(rule, single)));
}

/** One verb, one group, one resource, one name (or one path) each. */
function split(rule: PolicyRule): PolicyRule[] {
  const parts: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const path of rule.nonResourceURLs ?? []) parts.push({ verbs: [verb], nonResourceURLs: [path] });
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const single = { verbs: [verb], apiGroups: [group], resources: [resource] };
        const names = rule.resourceNames ?? [];
        if (names.length === 0) parts.push(single);
        for (const name of names) parts.push({ ...single, resourceNames: [name] });
      }
    }
  }
  return parts;
}

function covers(owner: PolicyRule, single: PolicyRule): boolean {
  const [verb = ''] = single.verbs;
  if (!has(owner.verbs, verb)) return false;
  const [path] = single.nonResourceURLs ?? [];
  if (path !== undefined) return (owner.nonResourceURLs ?? []).includes(path) || pathAllowed(owner.nonResourceURLs ?? [], path);
  const [group = ''] = single.apiGroups ?? [];
  const [resource = ''] = single.resources ?? [];
  if (!has(owner.apiGroups ?? [], group) || !coversResource(owner.resources ?? [], resource)) return false;
  const names = owner.resourceNames ?? [];
  const [name] = single.resourceNames ?? [];
  return names.length === 0 || (name !== undefined && names.includes(name));
}

function coversResource(owned: readonly string[], wanted: string): boolean {
  if (owned.includes(all) || owned.includes(wanted)) return true;
  const slash = wanted.indexOf('/');
  return slash >= 0 && owned.includes(`*${wanted.slice(slash)}`);
}

/** A rule as refusals show it. */
export function ruleText(rule: PolicyRule): string {
  const part = (title: string, values: readonly string[] | undefined): string[] =>
    values && values.length > 0 ? [`${title}:[${values.map((v) => JSON.stringify(v)).join(' ')}]`] : [];
  return `{${[
    ...part('APIGroups', rule.apiGroups),
    ...part('Resources', rule.resources),
    ...part('ResourceNames', rule.resourceNames),
    ...part('NonResourceURLs', rule.nonResourceURLs),
    ...part('Verbs', rule.verbs),
  ].join(', ')}}`;
}
