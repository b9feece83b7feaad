/** Each known way to get a Dockerfile wrong: what is said, and the word that the caret is under. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { readDockerfile } from './stages.ts';

const cases: readonly [dockerfile: string, line: number, problem: RegExp, under: string][] = [
  ['FROM a\nRNU x', 2, /^unknown instruction: RNU \(did you mean RUN\?\)$/, 'RNU'],
  ['FORM a', 1, /^unknown instruction: FORM \(did you mean FROM\?\)$/, 'FORM'],
  ['FROM a\nQUUX x', 2, /^unknown instruction: QUUX$/, 'QUUX'],
  ['FROM a\n--from=x', 2, /^unknown instruction: --from=x$/, '--from'],
  ['FROM a\nCOPY --frm=x a b', 2, /^unknown flag: --frm \(did you mean --from\?\)$/, '--frm'],
  ['FROM a\nCOPY \\\n  --frm=x a b', 3, /^unknown flag: --frm/, '--frm'],
  ['FROM --platfrm=linux/amd64 a', 1, /did you mean --platform\?/, '--platfrm'],
  ['FROM a\nHEALTHCHECK --intervl=3s CMD x', 2, /did you mean --interval\?/, '--intervl'],
  ['FROM a\nRUN --mount=type=bnd,target=/x true', 2, /^unsupported mount type "bnd" \(did you mean bind\?\)$/, 'type=bnd'],
  ['FROM a\nRUN --mount=type=cache,targt=/x true', 2, /^unexpected key 'targt' in 'targt=\/x' \(did you mean target\?\)$/, 'targt'],
  ['FROM a\nRUN --mount=type=cache,target=/x,uid=me true', 2, /^invalid value "me" for uid of RUN --mount/, 'uid=me'],
  ['FROM a\nRUN --network=bridge true', 2, /^unsupported network mode "bridge": use default, none or host$/, 'RUN'],
  ['FROM a\nCOPY --from=5 a b', 2, /^invalid from flag value 5: index out of bounds/, 'from=5'],
  ['FROM a AS one\nCOPY --from=two a b\nFROM a AS two', 2, /^invalid from flag value two: a stage can copy only from stages before it$/, 'from=two'],
  ['FROM a\nCOPY --from= a b', 2, /it names no stage and no image$/, 'from='],
  ['FROM a\nCOPY --chmod=999 a b', 2, /^invalid chmod "999"/, 'COPY'],
  ['FROM a AS 1x', 1, /^invalid name for build stage: "1x"/, '1x'],
  ['FROM a AS x\nFROM b AS x', 2, /^duplicate name x$/, 'x'],
  ['FROM', 1, /^FROM requires either one or three arguments/, 'FROM'],
  ['FROM a b', 1, /^FROM requires either one or three arguments/, 'FROM'],
  ['FROM ${x', 1, /^syntax error: missing '}'/, 'FROM'],
  ['FROM a\nRUN <<EOF\necho', 2, /^unterminated heredoc: no line that is only EOF$/, 'RUN'],
  ['# escape=x\nFROM a', 1, /^invalid escape token 'x'/, '#'],
  ['FROM a\nCOPY a', 2, /^COPY requires at least two arguments/, 'COPY'],
  ['FROM a\n  RUN', 2, /^RUN requires at least one argument$/, 'RUN'],
  ['FROM a\nENV X="y', 2, /looking for matching double-quote/, 'ENV'],
  ["FROM a\nLABEL X='y", 2, /looking for matching single-quote/, 'LABEL'],
  ['FROM a\nENV X=${y', 2, /missing '}'/, 'ENV'],
  ['FROM a\nENV a=b c', 2, /can't find = in "c"/, 'ENV'],
  ['FROM a\nEXPOSE 99999', 2, /^invalid containerPort: 99999/, 'EXPOSE'],
  ['FROM a\nSTOPSIGNAL FOO', 2, /^Invalid signal: FOO$/, 'STOPSIGNAL'],
  ['FROM a\nHEALTHCHECK --interval=3 CMD x', 2, /^invalid duration "3" for --interval/, 'HEALTHCHECK'],
  ['FROM a\nONBUILD RNU x', 2, /^unknown instruction: RNU \(did you mean RUN\?\)$/, 'RNU'],
];

for (const [dockerfile, line, problem, under] of cases) {
  test(`${JSON.stringify(dockerfile)} is refused with its place`, () => {
    try {
      readDockerfile(dockerfile, 'Dockerfile', {});
    } catch (error) {
      assert.ok(isFault(error, 'invalid'), String(error));
      const [head = '', place, ...shown] = error.message.split('\n');
      assert.ok(head.startsWith(`dockerfile parse error on line ${line}: `), head);
      assert.match(head.replace(/^.*?on line \d+: /, ''), problem);
      assert.equal(place, `Dockerfile:${line}`);
      const [text = '', caret = ''] = shown.slice(-2);
      assert.equal(text, `${line} | ${dockerfile.split('\n')[line - 1]}`);
      assert.equal(text.slice(caret.indexOf('^')).slice(0, under.length), under);
      return;
    }
    assert.fail('it was accepted');
  });
}
