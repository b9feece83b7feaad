import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldError, fieldErrorCause, fieldErrorText, fieldErrorsText } from './field-errors.ts';
import { matchesFields, parseFieldSelector } from './fields.ts';
import { scaledValue } from './int-or-string.ts';
import { formatLabelSelector, matchesLabels, parseLabelSelector, selectorOfObject } from './labels.ts';
import { configKeyErrors, dnsLabelErrors, labelValueErrors, portNameErrors, qualifiedNameErrors } from './names.ts';
import { canonicalQuantity, compareQuantities, quantityMilliValue, quantityValue } from './quantity.ts';
import { formatDuration, formatMicroTime, humanDuration, millisOfTime, parseDuration, parseTime } from './time.ts';

test('quantities have one canonical form', () => {
  const forms: [string, string][] = [
    ['1000m', '1'], ['0.5', '500m'], ['1024Mi', '1Gi'], ['1536Mi', '1536Mi'], ['1.5Gi', '1536Mi'], ['1000Ki', '1000Ki'], ['512Ki', '512Ki'],
    ['0.5Ki', '512'], ['1e3', '1e3'], ['12e6', '12e6'], ['1500', '1500'], ['2000', '2k'], ['1E', '1E'], ['0', '0'], ['0Gi', '0'], ['-1.5', '-1500m'],
    ['0.0000000001', '1n'], ['100000000000000000000', '9223372036854775807'], ['+5', '5'], ['.5', '500m'], ['5.', '5'],
  ];
  for (const [given, canonical] of forms) assert.equal(canonicalQuantity(given), canonical, given);
});

test('what is no quantity is refused in the words of the API', () => {
  assert.throws(() => canonicalQuantity('x'), { message: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'" });
  assert.throws(() => canonicalQuantity('1Kk'), /unable to parse quantity's suffix/);
  assert.throws(() => canonicalQuantity('1.2.3'), /unable to parse quantity's numeric part/);
});

test('quantities are compared and rounded up', () => {
  assert.ok(compareQuantities('1Gi', '1G') > 0);
  assert.equal(compareQuantities('1', '1000m'), 0);
  assert.deepEqual([quantityValue('1100m'), quantityMilliValue('1.5'), quantityValue('1Ki'), quantityValue('-1100m')], [2, 1500, 1024, -2]);
});

test('times and durations are read and written', () => {
  assert.deepEqual(parseTime('2026-01-01T01:00:00.000001+01:00'), { seconds: 1_767_225_600, nanos: 1000 });
  assert.equal(formatMicroTime({ seconds: 1_767_225_600, nanos: 1999 }), '2026-01-01T00:00:00.000001Z');
  assert.equal(millisOfTime('2026-01-01T00:00:00Z'), 1_767_225_600_000);
  assert.throws(() => parseTime('today'), { message: 'parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006"' });
  assert.equal(parseDuration('1h30m1.5s'), 5_401_500_000_000);
  assert.deepEqual([0, 1500, 2e6, 1.5e9, 90e9, 3600e9].map(formatDuration), ['0s', '1.5µs', '2ms', '1.5s', '1m30s', '1h0m0s']);
});

test('ages are shown in one or two units', () => {
  const minute = 60;
  const hour = 3600;
  const day = 86_400;
  const ages: [number, string][] = [
    [-5, '<invalid>'], [0, '0s'], [119, '119s'], [120, '2m'], [4 * minute + 7, '4m7s'], [10 * minute + 5, '10m'], [179 * minute, '179m'],
    [3 * hour, '3h'], [3 * hour + 5 * minute, '3h5m'], [47 * hour, '47h'], [2 * day + 3 * hour, '2d3h'], [8 * day, '8d'], [700 * day, '700d'],
    [800 * day, '2y70d'], [3000 * day, '8y'],
  ];
  for (const [seconds, text] of ages) assert.equal(humanDuration(seconds * 1000), text);
});

test('label selectors match as they read', () => {
  const labels = { app: 'web', tier: 'front', n: '5' };
  const matching = ['', 'app=web', 'app==web', 'app!=db', 'app in (web, db)', 'app notin (db)', 'tier', '!old', 'n>4,n<6', 'app=web,tier in (front)', 'missing!=x'];
  for (const text of matching) assert.ok(matchesLabels(parseLabelSelector(text), labels), text);
  for (const text of ['app=db', 'old', '!app', 'app in ()', 'n>5', 'missing in (a)', 'app=web,old']) assert.ok(!matchesLabels(parseLabelSelector(text), labels), text);
  assert.ok(matchesLabels(parseLabelSelector('empty='), { empty: '' }));
  assert.equal(formatLabelSelector(parseLabelSelector('a == b,c in (y,x),!d,e')), 'a=b,c in (x,y),!d,e');
});

test('a label selector that cannot be read is refused', () => {
  for (const text of ['a b', 'a=b=c', ',a', 'a in b', 'a in (b', '=', 'a=b,']) assert.throws(() => parseLabelSelector(text), { kind: 'invalid', message: /found '.*', expected: / }, text);
  assert.throws(() => parseLabelSelector('a b'), { message: "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt" });
  assert.throws(() => parseLabelSelector('a=b=c'), { message: "found '=', expected: ',' or 'end of string'" });
  assert.throws(() => parseLabelSelector('-x=1'), /key: Invalid value: "-x": name part must consist of/);
});

test("a spec's selector selects nothing when absent and everything when empty", () => {
  assert.equal(selectorOfObject(undefined), undefined);
  assert.ok(matchesLabels(selectorOfObject({}) ?? [{ key: 'x', operator: 'exists', values: [] }], {}));
  const selector = selectorOfObject({ matchLabels: { a: '1' }, matchExpressions: [{ key: 'b', operator: 'NotIn', values: ['2'] }, { key: 'c', operator: 'DoesNotExist' }] });
  assert.ok(matchesLabels(selector ?? [], { a: '1' }));
  assert.ok(!matchesLabels(selector ?? [], { a: '1', c: '' }));
});

test('field selectors know equality and escapes', () => {
  const selector = parseFieldSelector('metadata.name=web,status.phase!=Running,x=a\\,b');
  assert.ok(matchesFields(selector, { 'metadata.name': 'web', 'status.phase': 'Pending', x: 'a,b' }));
  assert.ok(!matchesFields(selector, { 'metadata.name': 'web', 'status.phase': 'Running', x: 'a,b' }));
  assert.throws(() => parseFieldSelector('a=b=c'), { message: 'invalid field selector: unescaped character in value: =' });
  assert.throws(() => parseFieldSelector('name'), { message: "invalid selector: 'name'; can't understand 'name'" });
});

test('names are checked by their rules', () => {
  assert.deepEqual([dnsLabelErrors('a-1'), labelValueErrors(''), qualifiedNameErrors('example.com/My.Name_1'), portNameErrors('http')].flat(), []);
  assert.match(dnsLabelErrors('A').join(), /a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'/);
  assert.deepEqual(dnsLabelErrors('a.b'), ['must not contain dots']);
  assert.deepEqual(labelValueErrors('a'.repeat(64)), ['must be no more than 63 bytes']);
  assert.match(dnsLabelErrors('A').join(), /\(e\.g\. 'my-name', {2}or '123-abc', regex used for validation is/);
  assert.deepEqual(dnsLabelErrors('a'.repeat(64)), ['must be no more than 63 characters']);
  assert.match(qualifiedNameErrors('a/b/c').join(), /with an optional DNS subdomain prefix and '\/'/);
  assert.deepEqual(qualifiedNameErrors('/b'), ['prefix part must be non-empty']);
  assert.deepEqual(configKeyErrors('..x'), ["must not start with '..'"]);
  assert.match(portNameErrors('80').join(), /must contain at least one letter/);
});

test('shares of a number round as asked', () => {
  assert.deepEqual([scaledValue(3, 10, 'up'), scaledValue('25%', 10, 'up'), scaledValue('25%', 10, 'down')], [3, 3, 2]);
  assert.throws(() => scaledValue('x', 10, 'up'), /not a percentage/);
});

test('field errors read as the API writes them', () => {
  const errors = [fieldError.required('spec.a'), fieldError.notSupported('spec.b', 'x', ['q', 'p']), fieldError.tooLong('spec.c', 3)];
  assert.deepEqual(errors.map(fieldErrorText), [
    'spec.a: Required value', 'spec.b: Unsupported value: "x": supported values: "p", "q"', 'spec.c: Too long: may not be more than 3 bytes',
  ]);
  assert.equal(fieldErrorsText(errors.slice(0, 1)), 'spec.a: Required value');
  assert.deepEqual(fieldErrorCause(fieldError.invalid('a', 1, 'bad')), { reason: 'FieldValueInvalid', message: 'Invalid value: 1: bad', field: 'a' });
});
