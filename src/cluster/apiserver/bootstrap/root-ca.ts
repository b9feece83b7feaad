import { must } from '#lib/assert.ts';
import { isFault } from '#lib/errors.ts';
import type { Core } from '../core.ts';
import { create } from '../verbs/create.ts';
import { watch } from '../verbs/watch.ts';
import { serverContext } from './objects.ts';

const configMapName = 'kube-root-ca.crt';
/** Of one watch; then it begins anew. */
const watchSeconds = 7 * 86_400;
/** After a failure, in milliseconds. */
const retryMs = 1000;

/** Puts the cluster's authority into each namespace, where pods find it. Ends by the signal. */
export async function keepRootCa(core: Core, certificate: string, signal: AbortSignal): Promise<void> {
  const namespaces = core.resources.find('', 'v1', 'namespaces');
  const query = { allowWatchBookmarks: false, timeoutSeconds: watchSeconds };
  while (namespaces && !signal.aborted) {
    try {
      for await (const items of watch(core, { resource: namespaces, namespace: '', name: '' }, query, signal)) {
        for (const item of items) {
          if (item.type === 'ADDED') await publish(core, item.object.object.metadata.name ?? '', certificate);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      core.log.warn('the cluster authority could not be put into a namespace; trying again', { error });
      await core.clock.sleep(retryMs, signal).catch(() => {});
    }
  }
}

async function publish(core: Core, namespace: string, certificate: string): Promise<void> {
  const resource = must(core.resources.find('', 'v1', 'configmaps'), 'the configmaps resource');
  if (core.objects.of(resource).get(namespace, configMapName)) return;
  const description = 'The authority that signed the API server\'s certificate.';
  const metadata = { name: configMapName, namespace, annotations: { 'kubernetes.io/description': description } };
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'ca.crt': certificate } };
  try {
    await create(core, { resource, namespace, name: '' }, object, serverContext());
  } catch (error) {
    // The namespace may be going already, or somebody else was quicker.
    if (!isFault(error, 'already-exists', 'forbidden', 'not-found')) throw error;
  }
}
