import { instructionFault } from '../errors.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, expand } from './shared.ts';

export const expose: InstructionKind = {
  keyword: 'expose',
  step(instruction, context) {
    const words = instruction.args.split(/\s+/).map((word) => expand(word, context));
    const ports = words.flatMap((word) => {
      const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
      const from = Number(match?.[1]);
      const to = Number(match?.[2] ?? match?.[1]);
      if (!match || from < 1 || to > 65535 || to < from) {
        throw instructionFault(context.source, instruction, `invalid containerPort: ${word}: write it as port, port/udp or first-last`);
      }
      return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${(match[3] ?? 'tcp').toLowerCase()}`);
    });
    return configStep(instruction, context, `EXPOSE ${words.toSorted().join(' ')}`, (config) => {
      config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((p) => [p, {}])) };
    });
  },
};
