/** The probes of one attempt of a container: they run for as long as it does. */
import type { Container, Pod, Probe } from '#api/kube/types.ts';
import type { ProbeState } from '../pod/observed.ts';
import type { NodeContext } from '../types.ts';
import { runHandler } from './handlers.ts';
import type { HandlerTarget } from './handlers.ts';

type ProbeKind = 'Startup' | 'Liveness' | 'Readiness';

export interface ProberOptions {
  node: NodeContext;
  pod: Pod;
  container: Container;
  target: HandlerTarget;
  /** What the kubelet before found of this same attempt: it holds until a probe says otherwise. */
  known?: { started: boolean; ready: boolean };
  /** The state has changed. */
  onChange: () => void;
}

export class Prober {
  readonly state: ProbeState;
  readonly #options: ProberOptions;
  readonly #stop = new AbortController();

  constructor(options: ProberOptions) {
    this.#options = options;
    const { container, known } = options;
    const { startupProbe, readinessProbe } = container;
    const started = !startupProbe || (known?.started ?? false);
    this.state = { started, ready: started && (!readinessProbe || (known?.ready ?? false)), alive: true };
    if (startupProbe && !started) void this.#run('Startup', startupProbe);
    else this.#runRest();
  }

  stop(): void {
    this.#stop.abort();
  }

  #runRest(): void {
    const { livenessProbe, readinessProbe } = this.#options.container;
    if (livenessProbe) void this.#run('Liveness', livenessProbe);
    if (readinessProbe) void this.#run('Readiness', readinessProbe);
  }

  async #run(kind: ProbeKind, probe: Probe): Promise<void> {
    const { node, target } = this.#options;
    const { signal } = this.#stop;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    let successes = 0;
    let failures = 0;
    try {
      await node.clock.sleep((probe.initialDelaySeconds ?? 0) * 1000, signal);
      for (;;) {
        const { ok, output } = await runHandler(node, probe, target, (probe.timeoutSeconds ?? 1) * 1000);
        if (signal.aborted) return;
        successes = ok ? successes + 1 : 0;
        failures = ok ? 0 : failures + 1;
        if (!ok) this.#tell(kind, output);
        if (ok && successes >= (probe.successThreshold ?? 1) && this.#succeed(kind)) return;
        if (failures >= (probe.failureThreshold ?? 3) && this.#fail(kind)) return;
        await node.clock.sleep(periodMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) node.log.error('a probe ended', { container: target.container.name, error });
    }
  }

  #tell(kind: ProbeKind, output: string): void {
    const { node, pod, container } = this.#options;
    node.recorder.pod(pod, 'Warning', 'Unhealthy', `${kind} probe failed: ${output}`, container.name);
  }

  /** True: this probe has done its work. */
  #succeed(kind: ProbeKind): boolean {
    if (kind === 'Startup') {
      this.#change({ started: true, ready: this.#options.container.readinessProbe === undefined });
      this.#runRest();
      return true;
    }
    if (kind === 'Readiness') this.#change({ ready: true });
    return false;
  }

  #fail(kind: ProbeKind): boolean {
    if (kind === 'Readiness') {
      this.#change({ ready: false });
      return false;
    }
    this.#change({ alive: false, ready: false });
    return true;
  }

  #change(change: Partial<ProbeState>): void {
    const before = JSON.stringify(this.state);
    Object.assign(this.state, change);
    if (JSON.stringify(this.state) !== before) this.#options.onChange();
  }
}
