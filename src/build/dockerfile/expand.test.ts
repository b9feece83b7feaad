import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandWord, splitWords } from './expand.ts';

const values: Record<string, string> = { a: 'one', empty: '', path: '/x/y.tar.gz', sp: 'p q' };
const cases: [string, string][] = [
  ['$a', 'one'],
  ['${a}b', 'oneb'],
  ['\\$a', '$a'],
  ["'$a'", '$a'],
  ['"$a b"', 'one b'],
  ['${none:-w}', 'w'],
  ['${empty:-w}', 'w'],
  ['${empty-w}', ''],
  ['${a:+set}', 'set'],
  ['${none:+set}', ''],
  ['${none:-${a}}', 'one'],
  ['${path##*/}', 'y.tar.gz'],
  ['${path%.*}', '/x/y.tar'],
  ['${path%%.*}', '/x/y'],
  ['${path/x/z}', '/z/y.tar.gz'],
  ['${path//\\//-}', '-x-y.tar.gz'],
  ['$', '$'],
];

for (const [text, want] of cases) {
  test(`expands ${text}`, () => assert.equal(expandWord(text, (n) => values[n]), want));
}

test('cuts words at blanks outside quotes', () => {
  assert.deepEqual(splitWords('$sp "a b" c\\ d'), ['$sp', '"a b"', 'c\\ d']);
});

test('an error says what is wrong', () => {
  assert.throws(() => expandWord('${none:?give it}', () => undefined), /none: give it/);
  assert.throws(() => expandWord('${a', () => undefined), /missing '}'/);
  assert.throws(() => expandWord('"a', () => undefined), /double-quote/);
});
