/** All that is measured, in the order in which it runs. */
import { api } from './api/part.ts';
import { build } from './build.ts';
import { commandParts } from './commands.ts';
import { idle, idleContainers, idleUsed } from './idle.ts';
import { pods, pods60 } from './pods.ts';
import { status } from './status.ts';
import type { Part } from './types.ts';
import { up } from './up.ts';

export const parts: readonly Part[] = [idle, ...commandParts, status, build, idleContainers, pods, pods60, idleUsed, up, api];
