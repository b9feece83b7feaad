/** Secrets: bytes for pods that are not to be shown. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import type { Secret } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf } from '../columns.ts';
import { defineResource, immutable } from '../resource.ts';
import { forbiddenChange, validateKeys, validateSize } from './configmap.ts';

/** Keys that a secret of a type must have. */
const requiredKeys: Record<string, readonly string[]> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

const accountName = 'kubernetes.io/service-account.name';

export const secrets = defineResource<Secret>({
  kind: 'Secret',
  plural: 'secrets',
  allowCreateOnUpdate: true,
  columns: [nameColumn, column('Type', 'What the data is for.'), column('Data', 'How many keys there are.'), ageColumn],
  row: (secret, context) => [nameOf(secret), secret.type ?? '', Object.keys(secret.data ?? {}).length, ageOf(secret, context)],
  defaults: (secret) => {
    secret.type ??= 'Opaque';
    // Texts are for writing only; they are kept as data.
    for (const [key, value] of Object.entries(secret.stringData ?? {})) {
      secret.data = { ...secret.data, [key]: Buffer.from(value).toString('base64') };
    }
    delete secret.stringData;
  },
  validate: (secret) => [
    ...validateKeys('data', secret.data),
    ...validateSize('data', undefined, secret.data),
    ...validateType(secret),
  ],
  validateUpdate: (secret, old) => [
    ...immutable('type', secret.type, old.type),
    ...(old.immutable === true && secret.immutable !== true
      ? [fieldError.forbidden('immutable', 'field is immutable when `immutable` is set')] : []),
    ...(old.immutable === true ? forbiddenChange('data', secret.data, old.data) : []),
  ],
  selectableFields: (secret) => ({ type: secret.type ?? '' }),
});

function validateType(secret: Secret): FieldError[] {
  const { type = '', data = {} } = secret;
  const errors = (requiredKeys[type] ?? []).filter((key) => !Object.hasOwn(data, key)).map((key) => fieldError.required(`data[${key}]`));
  if (type === 'kubernetes.io/service-account-token' && !secret.metadata.annotations?.[accountName]) {
    errors.push(fieldError.required(`metadata.annotations[${accountName}]`));
  }
  if (type === 'kubernetes.io/basic-auth' && data['username'] === undefined && data['password'] === undefined) {
    errors.push(fieldError.required('data[username]'), fieldError.required('data[password]'));
  }
  for (const key of requiredKeys[type] ?? []) {
    const value = data[key];
    if (key.startsWith('.docker') && value !== undefined && !isJson(value)) {
      errors.push(fieldError.invalid(`data[${key}]`, '<secret contents redacted>', 'must be valid JSON'));
    }
  }
  return errors;
}

function isJson(encoded: string): boolean {
  try {
    JSON.parse(Buffer.from(encoded, 'base64').toString());
    return true;
  } catch {
    return false;
  }
}
