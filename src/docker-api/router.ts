/**
 * Routes are values in an ordered list. A pattern's `{id}` is one path segment; `{name...}` is greedy: image names
 * hold slashes and colons, percent-encoded or not.
 */
import { Fault } from '#lib/errors.ts';
import type { Call } from './call.ts';

export interface Route {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  handle(call: Call): Promise<void> | void;
}

export interface Match {
  route: Route;
  params: Record<string, string>;
}

export type Router = (method: string, path: string) => Match | undefined;

export function createRouter(routes: readonly Route[]): Router {
  const compiled = routes.map((route) => ({ route, pattern: compile(route.path) }));
  return (method, path) => {
    for (const { route, pattern } of compiled) {
      if (route.method !== method) continue;
      const groups = pattern.exec(path)?.groups;
      if (groups === undefined) continue;
      return { route, params: Object.fromEntries(Object.entries(groups).map(([key, value]) => [key, decode(value)])) };
    }
    return undefined;
  };
}

function compile(path: string): RegExp {
  const pattern = path
    .replace(/\./g, '\\.')
    .replace(/\{(\w+)\\\.\\\.\\\.\}/g, '(?<$1>.+)')
    .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  // a group that is always there, so that a match without parameters has groups too
  return new RegExp(`^(?<all>${pattern})/?$`);
}

function decode(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (error) {
    throw new Fault('invalid', `invalid path: ${raw} is not percent-encoded UTF-8`, { cause: error });
  }
}
