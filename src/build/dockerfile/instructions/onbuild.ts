import { instructionFault } from '../errors.ts';
import type { InstructionKind } from '../types.ts';
import { configStep } from './shared.ts';

export const onbuild: InstructionKind = {
  keyword: 'onbuild',
  check(instruction, file) {
    const keyword = /^\S+/.exec(instruction.args)?.[0].toUpperCase() ?? '';
    if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(keyword)) {
      throw instructionFault(file.source, instruction, keyword === 'ONBUILD' ? "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" : `${keyword} isn't allowed as an ONBUILD trigger`);
    }
  },
  step(instruction, context) {
    return configStep(instruction, context, `ONBUILD ${instruction.args}`, (config) => {
      config.OnBuild = [...(config.OnBuild ?? []), instruction.args];
    });
  },
};
