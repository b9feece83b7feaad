import { Fault, isFault } from '#lib/errors.ts';
import type { Instruction, Source } from './types.ts';

/** A fault that shows where: file, line, the line itself with a caret under `column` (from 0). */
export function dockerfileFault(source: Source, line: number, problem: string, column?: number): Fault {
  const shown: string[] = [];
  const width = String(line).length;
  for (let n = Math.max(1, line - 1); n <= line; n++) {
    const text = source.lines[n - 1];
    if (text !== undefined) shown.push(`${String(n).padStart(width)} | ${text}`);
  }
  const text = source.lines[line - 1] ?? '';
  const at = column ?? text.length - text.trimStart().length;
  shown.push(`${' '.repeat(width)} | ${' '.repeat(at)}^`);
  return new Fault('invalid', `dockerfile parse error on line ${line}: ${problem}\n${source.name}:${line}\n${shown.join('\n')}`, {
    details: { line, column: at, file: source.name },
  });
}

/** The same for an instruction; the caret is under `word` where its lines have it, else under its start. */
export function instructionFault(source: Source, instruction: Instruction, problem: string, word?: string): Fault {
  for (let line = instruction.line; word !== undefined && line <= instruction.endLine; line++) {
    const column = source.lines[line - 1]?.indexOf(word) ?? -1;
    if (column >= 0) return dockerfileFault(source, line, problem, column);
  }
  return dockerfileFault(source, instruction.line, problem);
}

/** What `action` refuses, shown with the instruction's line where it does not tell one itself. */
export function at<T>(source: Source, instruction: Instruction, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (isFault(error, 'invalid') && error.details['line'] === undefined) throw instructionFault(source, instruction, error.message);
    throw error;
  }
}

/** `(did you mean X?)` with the candidate that is nearest to `word`, or nothing where none is near. */
export function didYouMean(word: string, candidates: Iterable<string>, prefix = ''): string {
  const guess = nearest(word, candidates);
  return guess === undefined ? '' : ` (did you mean ${prefix}${guess}?)`;
}

/** The candidate at most two edits away, and fewer than `word` has letters: another word altogether is no guess. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.min(3, word.length);
  for (const candidate of candidates) {
    const edits = distance(word.toLowerCase(), candidate.toLowerCase());
    if (edits < least) {
      best = candidate;
      least = edits;
    }
  }
  return best;
}

/** Edit distance in which swapping neighbours is one edit (optimal string alignment). */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)));
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) value = Math.min(value, at(i - 2, j - 2) + 1);
      const row = rows[i];
      if (row) row[j] = value;
    }
  }
  return at(a.length, b.length);
}
