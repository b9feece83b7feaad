/** What a pod may say but hardly means: told in a warning, and done all the same. */
import { dnsLabelErrors } from '#api/kube/names.ts';
import type { Container, Pod, PodSpec } from '#api/kube/types.ts';

export function podWarnings(pod: Pod): string[] {
  const { name } = pod.metadata;
  const wrong = name === undefined || name === '' || pod.spec.hostname ? [] : dnsLabelErrors(name);
  const hostname = "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended";
  return [...(wrong.length === 0 ? [] : [`${hostname}: [${wrong.join(' ')}]`]), ...podSpecWarnings(pod.spec, 'spec')];
}

/** For pods and templates alike. */
export function podSpecWarnings(spec: PodSpec | undefined, path: string): string[] {
  if (spec === undefined) return [];
  const warnings = (['initContainers', 'containers'] as const).flatMap((list) =>
    (spec[list] ?? []).flatMap((container, index) => containerWarnings(container, `${path}.${list}[${index}]`)));
  for (const [index, secret] of (spec.imagePullSecrets ?? []).entries()) {
    if (!secret.name) warnings.push(`${path}.imagePullSecrets[${index}].name: invalid empty name ""`);
  }
  return warnings;
}

function containerWarnings(container: Container, path: string): string[] {
  const warnings: string[] = [];
  const names = new Set<string>();
  for (const [index, { name }] of (container.env ?? []).entries()) {
    if (names.has(name)) warnings.push(`${path}.env[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`);
    names.add(name);
  }
  const ports = new Map<string, string>();
  for (const [index, { containerPort, hostPort, protocol }] of (container.ports ?? []).entries()) {
    const at = `${path}.ports[${index}]`;
    const key = `${containerPort}/${hostPort ?? 0}/${protocol ?? 'TCP'}`;
    const earlier = ports.get(key);
    if (earlier === undefined) ports.set(key, at);
    else warnings.push(`${at}: duplicate port definition with ${earlier}`);
  }
  return warnings;
}
