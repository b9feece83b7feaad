import type { Streams } from './types.ts';

/** Collects what comes out of `streams` until they end. The caller bounds it by knowing what it runs. */
export function collectOutput(streams: Streams): Promise<{ stdout: string; stderr: string }> {
  const output = { stdout: '', stderr: '' };
  streams.onOutput((stream, data) => {
    output[stream] += data.toString();
  });
  return new Promise((resolve) => streams.onEnd(() => resolve(output)));
}
