import type { Fault } from '#lib/errors.ts';
import { forbidden, statusFault } from '../status.ts';
import type { Attributes } from '../types.ts';

/** The refusal of a request, in the words that clients know. */
export function refusal({ user, verb, resource, path }: Attributes, reason = ''): Fault {
  const tail = reason === '' ? '' : `: ${reason}`;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb}`;
  if (!resource) return statusFault('forbidden', `forbidden: ${who} path ${JSON.stringify(path ?? '')}${tail}`, { details: {} });
  const what = resource.subresource === '' ? resource.resource : `${resource.resource}/${resource.subresource}`;
  const where = resource.namespace === '' ? 'at the cluster scope' : `in the namespace "${resource.namespace}"`;
  const why = `${who} resource "${what}" in API group "${resource.group}" ${where}${tail}`;
  return forbidden({ group: resource.group, plural: resource.resource }, resource.name, why);
}
