/** Gantry's API server from outside, over TLS, as its administrator. */
import { join } from 'node:path';
import type { Pod } from '#api/kube/types.ts';
import { httpKubeClient, type HttpKubeClient } from '#client/kube/http.ts';
import { readKubeconfig } from '#client/kube/kubeconfig.ts';
import { imageName } from './image.ts';

export async function administrator(root: string): Promise<HttpKubeClient> {
  return httpKubeClient({ ...(await readKubeconfig(join(root, 'cluster', 'admin.kubeconfig'))), userAgent: 'bench' });
}

/** A pod of one container that sleeps and ends at once when it is told to. */
export function sleepingPod(name: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: imageName, imagePullPolicy: 'Never', command: ['sleep', '100000'] }] },
  };
}
