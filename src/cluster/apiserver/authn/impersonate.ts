import type { IncomingMessage } from 'node:http';
import { refusal } from '../authz/refusal.ts';
import { badRequest } from '../status.ts';
import type { Attributes, Authorizer, User } from '../types.ts';
import { anonymous, authenticated } from './authenticate.ts';

const extraPrefix = 'impersonate-extra-';
const accountPrefix = 'system:serviceaccount:';

/** The user as whom a request asks to act (`kubectl --as`), if the real one may; else the real one. */
export function impersonated(request: IncomingMessage, user: User, authorizer: Authorizer): User {
  const header = (name: string): string | undefined => request.headersDistinct[name]?.[0];
  const name = header('impersonate-user');
  const groups = request.headersDistinct['impersonate-group'] ?? [];
  const uid = header('impersonate-uid');
  const extra = extras(request);
  if (name === undefined || name === '') {
    if (groups.length > 0 || uid !== undefined || Object.keys(extra).length > 0) throw badRequest('requested impersonation without impersonating a user');
    return user;
  }
  const wanted: Attributes[] = [
    asUser(user, name),
    ...groups.map((group) => attributes(user, '', 'groups', group)),
    ...(uid === undefined ? [] : [attributes(user, 'authentication.k8s.io', 'uids', uid)]),
    ...Object.entries(extra).flatMap(([key, values]) => values.map((value) => attributes(user, 'authentication.k8s.io', 'userextras', value, key))),
  ];
  for (const one of wanted) {
    const { allowed, reason } = authorizer.authorize(one);
    if (!allowed) throw refusal(one, reason);
  }
  return authenticated({ name, ...(uid !== undefined && { uid }), groups: groups.length > 0 ? groups : impliedGroups(name), extra });
}

function attributes(user: User, group: string, resource: string, name: string, subresource = '', namespace = ''): Attributes {
  return { user, verb: 'impersonate', resource: { group, version: 'v1', resource, subresource, namespace, name } };
}

function asUser(user: User, name: string): Attributes {
  if (!name.startsWith(accountPrefix)) return attributes(user, '', 'users', name);
  const [namespace = '', account = ''] = name.slice(accountPrefix.length).split(':');
  return attributes(user, '', 'serviceaccounts', account, '', namespace);
}

function impliedGroups(name: string): readonly string[] {
  if (name === anonymous.name) return anonymous.groups;
  if (!name.startsWith(accountPrefix)) return [];
  const [namespace = ''] = name.slice(accountPrefix.length).split(':');
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
}

function extras(request: IncomingMessage): Record<string, string[]> {
  const found = Object.entries(request.headersDistinct).filter(([name]) => name.startsWith(extraPrefix));
  return Object.fromEntries(found.map(([name, values]) => [decodedKey(name.slice(extraPrefix.length)), values ?? []]));
}

/** As it is where it is not percent-encoded. */
function decodedKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
