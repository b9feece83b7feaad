import { generatedName } from '#api/kube/names.ts';
import type { Container, Pod, ServiceAccount, Volume } from '#api/kube/types.ts';
import type { Core } from '../core.ts';
import { forbidden } from '../status.ts';
import type { AdmissionRequest, AdmissionStep } from '../types.ts';
import { copyOf } from '../storage/object.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The odd number tells what each pod is given from what a pod asks for itself. */
export const podTokenSeconds = 3607;
/** Octal 0644. */
const fileMode = 420;
/** A new namespace gets its default account a moment later: so often, and so long apart in milliseconds, it is looked for. */
const lookups = 10;
const lookupMs = 100;

/** Pods run as a service account that exists, and find a token of it in their containers. */
export function serviceAccount(core: Core): AdmissionStep {
  return {
    name: 'service-account',
    admit: async (request) => {
      const { operation, resource, subresource, object } = request;
      if (operation !== 'CREATE' || resource.plural !== 'pods' || resource.group !== '' || subresource !== '' || !object) return;
      const pod = object as unknown as Pod;
      if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return;
      const name = pod.spec.serviceAccountName ?? '';
      pod.spec.serviceAccountName = name === '' ? 'default' : name;
      pod.spec.serviceAccount = pod.spec.serviceAccountName;
      const account = await find(core, request, pod.spec.serviceAccountName);
      const automount = pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
      if (automount) mountToken(core, pod);
      if ((pod.spec.imagePullSecrets ?? []).length === 0 && account.imagePullSecrets) pod.spec.imagePullSecrets = copyOf(account.imagePullSecrets);
    },
  };
}

async function find(core: Core, { resource, namespace, name }: AdmissionRequest, account: string): Promise<ServiceAccount> {
  const accounts = core.objects.find(core.resources.find('', 'v1', 'serviceaccounts'));
  for (let lookup = 0; lookup < lookups; lookup++) {
    const found = accounts?.get(namespace, account);
    if (found) return found.object as unknown as ServiceAccount;
    if (account !== 'default') break;
    await core.clock.sleep(lookupMs);
  }
  throw forbidden(resource, name, `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`);
}

function mountToken(core: Core, pod: Pod): void {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const bare = containers.filter((container) => !(container.volumeMounts ?? []).some((mount) => mount.mountPath === mountPath));
  if (bare.length === 0) return;
  const volume = tokenVolume(generatedName('kube-api-access-', core.random));
  pod.spec.volumes = [...(pod.spec.volumes ?? []), volume];
  for (const container of bare) mount(container, volume.name);
}

function mount(container: Container, name: string): void {
  container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }];
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: podTokenSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
      defaultMode: fileMode,
    },
  };
}
