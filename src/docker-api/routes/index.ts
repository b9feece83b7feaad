/** All routes of the door, in the order in which they are tried. */
import type { Route } from '../router.ts';
import { absentRoutes } from './absent.ts';
import { archiveRoutes } from './archives.ts';
import { buildRoutes } from './build.ts';
import { containerStreamRoutes } from './container-streams.ts';
import { containerRoutes } from './containers.ts';
import { execRoutes } from './execs.ts';
import { imageTransferRoutes } from './image-transfers.ts';
import { imageRoutes } from './images.ts';
import { networkRoutes } from './networks.ts';
import { systemRoutes } from './system.ts';
import { volumeRoutes } from './volumes.ts';

export const routes: readonly Route[] = [
  ...systemRoutes,
  ...containerRoutes,
  ...containerStreamRoutes,
  ...archiveRoutes,
  ...execRoutes,
  ...imageTransferRoutes,
  ...imageRoutes,
  ...buildRoutes,
  ...networkRoutes,
  ...volumeRoutes,
  ...absentRoutes,
];
