import assert from 'node:assert/strict';
import { test } from 'node:test';
import { globExpression, IgnoreRules } from './patterns.ts';

test('a .dockerignore pattern is anchored at the root, and matches what is below a directory', () => {
  const rules = IgnoreRules.parse('# comment\nnode_modules\n*.log\n/dist/\n');
  assert.ok(rules.ignores('node_modules/x/y'));
  assert.ok(rules.ignores('a.log'));
  assert.ok(rules.ignores('dist/app.js'));
  assert.ok(!rules.ignores('sub/node_modules'));
  assert.ok(!rules.ignores('sub/a.log'));
});

test('later rules win, ! brings back, ** crosses directories', () => {
  const rules = IgnoreRules.parse('**/*.md\n!docs/README.md\ndocs/secret\n');
  assert.ok(rules.ignores('a/b/c.md'));
  assert.ok(rules.ignores('top.md'));
  assert.ok(!rules.ignores('docs/README.md'));
  assert.ok(rules.ignores('docs/secret/key'));
});

test('globs follow filepath.Match', () => {
  assert.ok(globExpression('a[0-9]?.t*').test('a1x.txt'));
  assert.ok(!globExpression('*').test('a/b'));
  assert.ok(globExpression('\\*').test('*'));
  assert.throws(() => globExpression('[a'), /syntax error in pattern/);
});
