import type { KubeObject } from '#api/kube/types.ts';
import type { Server } from '../server-core.ts';
import { notImplemented } from '../status.ts';
import type { Context, Target } from '../types.ts';
import { admit } from '../verbs/admit.ts';
import { actions } from './index.ts';
import type { Action } from './types.ts';

/** Runs the action that a POST to `target` stands for, if admission lets it. */
export async function runAction(server: Server, target: Target, object: KubeObject, context: Context): ReturnType<Action['run']> {
  const { resource, subresource, namespace, name } = target;
  const part = subresource?.name ?? '';
  const action = actions.find((a) => a.group === resource.group && a.resource === resource.plural && a.subresource === part);
  if (!action) throw notImplemented(part === '' ? resource.plural : `${resource.plural}/${part}`);
  const also = { compare: [], then: [] };
  if (subresource) await admit(server.core, { operation: 'CREATE', context, resource, subresource: part, namespace, name, object, also });
  return action.run({ server, target, object, context });
}
