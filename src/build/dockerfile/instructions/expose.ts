import { instructionFault } from '../errors.ts';
import { expandWords } from '../expand.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, lookupIn, requireArgs } from './shared.ts';

export const expose: InstructionKind = {
  keyword: 'expose',
  step(instruction, context) {
    requireArgs(instruction, context);
    const ports = expandWords(instruction.args, lookupIn(context), context.escape).flatMap((word) => {
      const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
      const from = Number(match?.[1]);
      const to = Number(match?.[2] ?? match?.[1]);
      if (!match || from < 1 || to > 65535 || to < from) {
        throw instructionFault(context.source, instruction, `invalid containerPort: ${word}: write it as port, port/udp or first-last`);
      }
      return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${(match[3] ?? 'tcp').toLowerCase()}`);
    });
    return configStep(instruction, context, `EXPOSE ${ports.join(' ')}`, (config) => {
      config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((p) => [p, {}])) };
    });
  },
};
