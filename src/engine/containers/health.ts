/** Health checks: a probe run in the container each interval (docker.md §6.8). */
import type { HealthConfig } from '#api/oci/image.ts';
import type { HealthResult } from '#api/docker/containers.ts';
import { isoTime } from '#lib/clock.ts';
import { messageOf } from '#lib/errors.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer } from './context.ts';
import type { Execs } from './execs.ts';
import type { ContainerRecord } from './record.ts';
import { isAlive } from './record.ts';

const keptResults = 5;

interface Plan {
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

/** Undefined where there is nothing to probe. */
export function healthPlan(config: HealthConfig | undefined, shell: readonly string[] | undefined): Plan | undefined {
  const [kind, ...rest] = config?.Test ?? [];
  if (!config || kind === undefined || kind === '' || kind === 'NONE') return undefined;
  const ms = (nanos: number | undefined, fallback: number): number => (nanos ? nanos / 1e6 : fallback);
  return {
    command: kind === 'CMD' ? rest : [...(shell?.length ? shell : ['/bin/sh', '-c']), ...rest],
    intervalMs: ms(config.Interval, 30_000),
    timeoutMs: ms(config.Timeout, 30_000),
    startPeriodMs: ms(config.StartPeriod, 0),
    startIntervalMs: ms(config.StartInterval, 5_000),
    retries: config.Retries || 3,
  };
}

export class HealthMonitor {
  readonly #context: ContainerContext;
  readonly #execs: Execs;

  constructor(context: ContainerContext, execs: Execs) {
    this.#context = context;
    this.#execs = execs;
  }

  /** Probes until the run ends (`Live.endHealth`). */
  begin(record: ContainerRecord): void {
    const plan = healthPlan(record.config.Healthcheck, record.config.Shell);
    if (!plan) return;
    const live = this.#context.set.live(record.id);
    live.health = { Status: 'starting', FailingStreak: 0, Log: [] };
    const ending = new AbortController();
    live.endHealth = () => ending.abort();
    void this.#probe(record, plan, ending.signal).catch((error: unknown) => {
      if (!ending.signal.aborted) this.#context.log.warn('health probes ended', { id: record.id, error });
    });
  }

  async #probe(record: ContainerRecord, plan: Plan, signal: AbortSignal): Promise<void> {
    const { clock, set } = this.#context;
    // the run may have begun before this daemon; from here on no jump of the wall clock counts
    const before = Math.max(0, clock.now() - (record.state.startedAt ?? clock.now()));
    const looked = clock.monotonic();
    const inStartPeriod = (): boolean => before + Number(clock.monotonic() - looked) / 1e6 < plan.startPeriodMs;
    for (;;) {
      const starts = set.live(record.id).health?.Status === 'starting' && inStartPeriod();
      await clock.sleep(starts ? plan.startIntervalMs : plan.intervalMs, signal);
      const current = set.get(record.id);
      if (!current || !isAlive(current)) return;
      if (current.state.status === 'paused') continue;
      const forgiven = inStartPeriod();
      const result = await this.#once(record, plan);
      if (signal.aborted) return;
      this.#note(record, plan, result, forgiven);
    }
  }

  async #once(record: ContainerRecord, plan: Plan): Promise<HealthResult> {
    const { clock } = this.#context;
    const start = isoTime(clock.now());
    try {
      const { code, output, timedOut } = await this.#execs.probe(record, plan.command, plan.timeoutMs);
      const Output = timedOut ? `Health check exceeded timeout (${plan.timeoutMs / 1000}s)${output === '' ? '' : `: ${output}`}` : output;
      return { Start: start, End: isoTime(clock.now()), ExitCode: timedOut ? -1 : code, Output };
    } catch (error) {
      return { Start: start, End: isoTime(clock.now()), ExitCode: -1, Output: messageOf(error) };
    }
  }

  #note(record: ContainerRecord, plan: Plan, result: HealthResult, inStartPeriod: boolean): void {
    const live = this.#context.set.live(record.id);
    const before = live.health ?? { Status: 'starting', FailingStreak: 0, Log: [] };
    const forgiven = before.Status === 'starting' && inStartPeriod;
    const streak = result.ExitCode === 0 ? 0 : before.FailingStreak + (forgiven ? 0 : 1);
    const status = result.ExitCode === 0 ? 'healthy' : streak >= plan.retries ? 'unhealthy' : before.Status;
    live.health = { Status: status, FailingStreak: streak, Log: [...(before.Log ?? []), result].slice(-keptResults) };
    if (status !== before.Status) emitContainer(this.#context, record, `health_status: ${status}`);
  }
}
