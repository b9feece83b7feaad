import type { Pod, Toleration } from '#api/kube/types.ts';
import type { AdmissionStep } from '../types.ts';

/** How long pods stay on a node that is not ready or not reachable, in seconds. */
const tolerationSeconds = 300;
const keys = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** Pods bear a node that is in trouble for a while, unless they say otherwise. */
export const defaultTolerations: AdmissionStep = {
  name: 'default-tolerations',
  admit: ({ operation, resource, subresource, object }) => {
    if (operation !== 'CREATE' || resource.plural !== 'pods' || resource.group !== '' || subresource !== '' || !object) return;
    const { spec } = object as unknown as Pod;
    const present = spec.tolerations ?? [];
    const added = keys.filter((key) => !present.some((toleration) => tolerates(toleration, key)));
    if (added.length === 0) return;
    spec.tolerations = [...present, ...added.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds }))];
  },
};

function tolerates({ key = '', effect = '' }: Toleration, wanted: string): boolean {
  return (key === '' || key === wanted) && (effect === '' || effect === 'NoExecute');
}
