import type { PathRoute } from './routes.ts';
import { discoveryRoutes } from './routes.ts';

/** Paths that name no resource. */
export const pathRoutes: readonly PathRoute[] = [...discoveryRoutes];
