import type { Pod, Toleration } from '#api/kube/types.ts';
import type { AdmissionStep } from '../types.ts';

/** How long pods stay on a node that is not ready, or not reachable, in seconds. */
export interface TolerationSeconds {
  notReady: number;
  unreachable: number;
}

export const kubernetesTolerations: TolerationSeconds = { notReady: 300, unreachable: 300 };

/** Pods bear a node that is in trouble for a while, unless they say otherwise. */
export const defaultTolerations = (seconds: TolerationSeconds): AdmissionStep => ({
  name: 'default-tolerations',
  admit: ({ operation, resource, subresource, object }) => {
    if (operation !== 'CREATE' || resource.plural !== 'pods' || resource.group !== '' || subresource !== '' || !object) return;
    const { spec } = object as unknown as Pod;
    const present = spec.tolerations ?? [];
    const wanted = [['node.kubernetes.io/not-ready', seconds.notReady], ['node.kubernetes.io/unreachable', seconds.unreachable]] as const;
    const added = wanted.filter(([key]) => !present.some((toleration) => tolerates(toleration, key)));
    if (added.length === 0) return;
    spec.tolerations = [...present, ...added.map(([key, tolerationSeconds]) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds }))];
  },
});

function tolerates({ key = '', effect = '' }: Toleration, wanted: string): boolean {
  return (key === '' || key === wanted) && (effect === '' || effect === 'NoExecute');
}
