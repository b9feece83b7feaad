import { oidcRoutes } from './oidc.ts';
import { openApiRoutes } from './openapi.ts';
import type { PathRoute } from './routes.ts';
import { discoveryRoutes } from './routes.ts';

/** Paths that name no resource. */
export const pathRoutes: readonly PathRoute[] = [...discoveryRoutes, ...openApiRoutes, ...oidcRoutes];
