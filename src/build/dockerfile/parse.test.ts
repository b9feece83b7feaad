import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '#lib/errors.ts';
import { readDockerfile, targetStage } from './stages.ts';

const read = (text: string, args: Record<string, string | null> = {}) => readDockerfile(text, 'Dockerfile', args);

test('joins continuation lines and drops comments between them', () => {
  const { stages } = read('FROM a\nRUN one && \\\n  # why\n\n  two\n');
  assert.equal(stages[0]?.instructions[0]?.args, 'one &&   two');
});

test('takes another escape character', () => {
  const { stages } = read('# escape=`\nFROM a\nRUN one `\n two\\\n');
  assert.equal(stages[0]?.instructions[0]?.args, 'one  two\\');
});

test('reads here-documents up to their names', () => {
  const { stages } = read('FROM a\nCOPY <<one <<-"two" /d/\nfirst $X\none\n\t\tsecond\ntwo\nRUN true\n');
  const [copy, run] = stages[0]?.instructions ?? [];
  assert.deepEqual(copy?.heredocs, [
    { name: 'one', body: 'first $X\n', expand: true },
    { name: 'two', body: 'second\n', expand: false },
  ]);
  assert.equal(run?.line, 7);
});

test('a wrong keyword is shown with its line, a caret and the word that was meant', () => {
  assert.throws(
    () => read('FROM a\nRNU echo hi\n'),
    (error: Fault) => {
      assert.equal(error.kind, 'invalid');
      assert.equal(error.message, 'dockerfile parse error on line 2: unknown instruction: RNU (did you mean RUN?)\nDockerfile:2\n1 | FROM a\n2 | RNU echo hi\n  | ^');
      return true;
    },
  );
});

test('a wrong flag is refused by name', () => {
  assert.throws(() => read('FROM a\nCOPY --form=x a b\n'), /unknown flag: --form \(did you mean --from\?\)/);
});

test('only ARG may come before FROM', () => {
  assert.throws(() => read('RUN true\nFROM a\n'), /no build stage in current context/);
  assert.throws(() => read('# nothing\n'), /file with no instructions/);
});

test('an ARG before FROM counts in FROM lines, and --build-arg wins over its default', () => {
  assert.equal(read('ARG V=1\nFROM a:$V\n').stages[0]?.base, 'a:1');
  assert.equal(read('ARG V=1\nFROM a:${V}\n', { V: '2' }).stages[0]?.base, 'a:2');
});

test('stages are found by name without regard to case, and a wrong target is told', () => {
  const { stages } = read('FROM a AS Build\nFROM b\n');
  assert.equal(targetStage(stages, 'build').index, 0);
  assert.equal(targetStage(stages, undefined).index, 1);
  assert.throws(() => targetStage(stages, 'biuld'), /did you mean build\?/);
  assert.throws(() => read('FROM a AS x\nFROM b AS x\n'), /duplicate name x/);
});
