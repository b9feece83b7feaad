/** Life cycle hooks of containers, and stopping them with grace. */
import type { Container, Pod } from '#api/kube/types.ts';
import { stopSignalOf } from '../container/stop-signal.ts';
import { runHandler } from '../probes/handlers.ts';
import type { HandlerTarget } from '../probes/handlers.ts';
import { labelOf } from '../types.ts';
import type { NodeContext } from '../types.ts';
import { monotonicMs } from '#lib/clock.ts';

const sigkill = 9;
/** postStart has no limit of its own in the API; longer than this it has failed. */
const postStartLimitMs = 600_000;

/** Runs postStart. False: it failed, the container is to be stopped. */
export async function runPostStart(node: NodeContext, pod: Pod, container: Container, target: HandlerTarget): Promise<boolean> {
  const hook = container.lifecycle?.postStart;
  if (!hook) return true;
  const { ok, output } = await runHandler(node, hook, target, postStartLimitMs);
  if (!ok) node.recorder.pod(pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${output}`, container.name);
  return ok;
}

function imageSignal({ core }: NodeContext, id: string): string | undefined {
  const image = core.containers.get(id)?.labels[labelOf.image];
  return image === undefined ? undefined : core.images.get(image)?.config.config?.StopSignal;
}

/** A container on its way out: preStop, the signal, and after the grace period SIGKILL. */
export class Stopping {
  readonly done: Promise<void>;
  readonly #node: NodeContext;
  readonly #id: string;
  #deadline: number;

  constructor(node: NodeContext, pod: Pod, container: Container, target: HandlerTarget, graceMs: number) {
    this.#node = node;
    this.#id = target.id;
    this.#deadline = monotonicMs(node.clock) + graceMs;
    this.done = this.#run(pod, container, target, graceMs);
  }

  async #run(pod: Pod, container: Container, target: HandlerTarget, graceMs: number): Promise<void> {
    const { clock, core, recorder } = this.#node;
    const hook = container.lifecycle?.preStop;
    if (hook && graceMs > 0) {
      const { ok, output } = await Promise.race([runHandler(this.#node, hook, target, graceMs), this.#exited()]);
      if (!ok) recorder.pod(pod, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${output}`, container.name);
    }
    const left = Math.max(0, this.#deadline - monotonicMs(clock));
    // As Kubernetes: after a hook that used up the grace, two seconds more.
    const timeoutMs = hook && graceMs > 0 ? Math.max(left, 2000) : left;
    await core.containers.stop(this.#id, { signal: timeoutMs === 0 ? sigkill : stopSignalOf(container, imageSignal(this.#node, this.#id)), timeoutMs });
  }

  async #exited(): Promise<{ ok: boolean; output: string }> {
    await this.#node.core.containers.wait(this.#id);
    return { ok: true, output: '' };
  }

  /** The grace was made shorter. */
  hasten(graceMs: number): void {
    const { clock, core } = this.#node;
    const deadline = monotonicMs(clock) + graceMs;
    if (deadline >= this.#deadline) return;
    this.#deadline = deadline;
    clock.after(graceMs, () => void core.containers.kill(this.#id, sigkill).catch(() => {}));
  }
}
