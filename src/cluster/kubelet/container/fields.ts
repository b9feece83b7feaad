/** Values of a pod's own fields and resources: for environment variables and downward volumes. */
import type { Container, Pod } from '#api/kube/types.ts';
import { parseQuantity, quantityMilliValue, quantityValue } from '#api/kube/quantity.ts';
import { Fault } from '#lib/errors.ts';

/** What a field may be read from beside the object: the status is this node's to know. */
export interface PodFacts {
  podIp: string | undefined;
  hostIp: string;
  /** Of the node, for containers without limits. */
  allocatable: { cpu: string; memory: string };
}

/** The text at `fieldPath`. Maps give `key="value"` lines; `metadata.labels['key']` one value. */
export function fieldValue(pod: Pod, fieldPath: string, facts: PodFacts): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(fieldPath);
  if (subscript) return metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2]!] ?? '';
  const known: Record<string, () => string> = {
    'metadata.name': () => metadata.name ?? '',
    'metadata.namespace': () => metadata.namespace ?? '',
    'metadata.uid': () => metadata.uid ?? '',
    'metadata.labels': () => formatMap(metadata.labels),
    'metadata.annotations': () => formatMap(metadata.annotations),
    'spec.nodeName': () => spec.nodeName ?? '',
    'spec.serviceAccountName': () => spec.serviceAccountName ?? '',
    'status.hostIP': () => facts.hostIp,
    'status.hostIPs': () => facts.hostIp,
    'status.podIP': () => facts.podIp ?? '',
    'status.podIPs': () => facts.podIp ?? '',
  };
  const read = known[fieldPath];
  if (!read) throw new Fault('invalid', `unsupported fieldPath: ${fieldPath}`);
  return read();
}

function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/** `limits.cpu`, `requests.memory`, … of a container, in units of `divisor`, rounded up. */
export function resourceValue(container: Container, resource: string, divisor: string | undefined, facts: PodFacts): string {
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(resource);
  if (!match) throw new Fault('invalid', `unsupported container resource: ${resource}`);
  const [, side, name] = match as unknown as [string, 'limits' | 'requests', string];
  const fallback = name === 'cpu' || name === 'memory' ? facts.allocatable[name] : '0';
  const value = container.resources?.[side]?.[name] ?? (side === 'limits' ? fallback : '0');
  const unit = divisor === undefined || parseQuantity(divisor).nanos === 0n ? '1' : divisor;
  const scaled = name === 'cpu' ? quantityMilliValue(value) / quantityMilliValue(unit) : quantityValue(value) / quantityValue(unit);
  return String(Math.ceil(scaled));
}
