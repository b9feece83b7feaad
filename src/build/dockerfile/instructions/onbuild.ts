import { instructionFault } from '../errors.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, requireArgs } from './shared.ts';

export const onbuild: InstructionKind = {
  keyword: 'onbuild',
  step(instruction, context) {
    requireArgs(instruction, context);
    const keyword = /^\S+/.exec(instruction.args)?.[0].toUpperCase() ?? '';
    if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(keyword)) {
      throw instructionFault(context.source, instruction, keyword === 'ONBUILD' ? "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" : `${keyword} isn't allowed as an ONBUILD trigger`);
    }
    return configStep(instruction, context, `ONBUILD ${instruction.args}`, (config) => {
      config.OnBuild = [...(config.OnBuild ?? []), instruction.args];
    });
  },
};
