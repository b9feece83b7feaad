import type { DockerClient } from '#client/docker/types.ts';
import type { KubeClient } from '#client/kube/types.ts';
import type { Clock } from '#lib/clock.ts';

/** What the steps of the demo work with. */
export interface DemoContext {
  docker: DockerClient;
  kube: KubeClient;
  clock: Clock;
  /** The example's folder. */
  blog: string;
  say(text: string): void;
}
