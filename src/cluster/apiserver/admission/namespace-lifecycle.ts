import type { ObjectsTable } from '../core.ts';
import type { ResourceTable } from '../resource-table.ts';
import { forbidden, notFound } from '../status.ts';
import type { AdmissionStep } from '../types.ts';

/** Cannot be deleted: parts of the cluster live in them. */
const immortal = new Set(['default', 'kube-system', 'kube-public']);

/** Nothing is made in a namespace that does not exist (404) or that is being deleted (403). */
export function namespaceLifecycle(resources: ResourceTable, objects: ObjectsTable): AdmissionStep {
  const namespaces = { group: '', plural: 'namespaces' };
  return {
    name: 'namespace-lifecycle',
    admit: ({ operation, resource, subresource, namespace, name }) => {
      if (operation === 'DELETE' && resource.plural === 'namespaces' && resource.group === '' && immortal.has(name)) {
        throw forbidden(namespaces, name, 'this namespace may not be deleted');
      }
      if (operation !== 'CREATE' || namespace === '' || subresource !== '') return;
      const kind = resources.find('', 'v1', 'namespaces');
      const found = kind && objects.of(kind).get('', namespace);
      if (!found) throw notFound(namespaces, namespace);
      if (found.object.metadata.deletionTimestamp === undefined) return;
      const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
      const message = `namespace ${namespace} is being terminated`;
      throw forbidden(resource, name, why, [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }]);
    },
  };
}
