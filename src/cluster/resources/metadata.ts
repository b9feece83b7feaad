/** Metadata: the rules every kind shares. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { labelValueErrors, qualifiedNameErrors } from '#api/kube/names.ts';
import type { ObjectMeta, OwnerReference } from '#api/kube/types.ts';

/** Bytes in all keys and values of an object's annotations. */
const maxAnnotationBytes = 256 * 1024;

export interface MetadataRules {
  namespaced: boolean;
  /** What is wrong with a name; a generated name's fixed part is checked with the rest added. */
  name: (value: string) => string[];
}

export function validateMetadata(meta: ObjectMeta, rules: MetadataRules): FieldError[] {
  const errors: FieldError[] = [];
  const { name, generateName, namespace } = meta;
  if (generateName !== undefined) {
    // A trailing hyphen is right here, as random characters follow it.
    const probe = generateName.endsWith('-') ? `${generateName.slice(0, -1)}a` : generateName;
    for (const detail of rules.name(probe)) errors.push(fieldError.invalid('metadata.generateName', generateName, detail));
  }
  if (name === undefined || name === '') errors.push(fieldError.required('metadata.name', 'name or generateName is required'));
  else for (const detail of rules.name(name)) errors.push(fieldError.invalid('metadata.name', name, detail));
  if (rules.namespaced && (namespace === undefined || namespace === '')) errors.push(fieldError.required('metadata.namespace'));
  if (!rules.namespaced && namespace !== undefined) errors.push(fieldError.forbidden('metadata.namespace', 'not allowed on this type'));
  return [
    ...errors,
    ...validateLabels(meta.labels, 'metadata.labels'),
    ...validateAnnotations(meta.annotations, 'metadata.annotations'),
    ...validateOwners(meta.ownerReferences ?? []),
    ...validateFinalizers(meta.finalizers ?? [], 'metadata.finalizers'),
  ];
}

export function validateLabels(labels: { [key: string]: string } | undefined, path: string): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...qualifiedNameErrors(key).map((detail) => fieldError.invalid(path, key, detail)),
    ...labelValueErrors(value).map((detail) => fieldError.invalid(path, value, detail)),
  ]);
}

export function validateAnnotations(annotations: { [key: string]: string } | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const detail of qualifiedNameErrors(key.toLowerCase())) errors.push(fieldError.invalid(path, key, detail));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > maxAnnotationBytes) errors.push(fieldError.tooLong(path, maxAnnotationBytes));
  return errors;
}

function validateOwners(owners: readonly OwnerReference[]): FieldError[] {
  const path = 'metadata.ownerReferences';
  const errors = owners.flatMap((owner, index) => {
    const found: FieldError[] = [];
    const missing = (field: string, what: string): void => {
      found.push(fieldError.invalid(`${path}[${index}].${field}`, '', `${what} must not be empty`));
    };
    if (!owner.apiVersion) missing('apiVersion', 'version');
    if (!owner.kind) missing('kind', 'kind');
    if (!owner.name) missing('name', 'name');
    if (!owner.uid) missing('uid', 'uid');
    return found;
  });
  const controllers = owners.filter((owner) => owner.controller === true);
  if (controllers.length > 1) {
    const [first, second] = controllers;
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${first?.kind}/${first?.name} and ${second?.kind}/${second?.name}`;
    errors.push(fieldError.invalid(path, owners, detail));
  }
  return errors;
}

const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

export function validateFinalizers(finalizers: readonly string[], path: string): FieldError[] {
  const errors = finalizers.flatMap((name) => {
    const wrong = qualifiedNameErrors(name).map((detail) => fieldError.invalid(path, name, detail));
    if (wrong.length === 0 && !name.includes('/') && !standardFinalizers.has(name)) {
      wrong.push(fieldError.invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified'));
    }
    return wrong;
  });
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(fieldError.invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
  return errors;
}

const fixed = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

/** What the server owns is taken from `old` where the client left it out. */
export function carryMetadata(meta: ObjectMeta, old: ObjectMeta): void {
  meta.uid ??= old.uid;
  meta.creationTimestamp ??= old.creationTimestamp;
  meta.deletionTimestamp ??= old.deletionTimestamp;
  meta.deletionGracePeriodSeconds ??= old.deletionGracePeriodSeconds;
  meta.generation = old.generation;
  meta.selfLink = undefined;
  for (const key of Object.keys(meta) as (keyof ObjectMeta)[]) if (meta[key] === undefined) delete meta[key];
}

export function validateMetadataUpdate(meta: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of fixed) {
    if (meta[key] !== old[key]) errors.push(fieldError.invalid(`metadata.${key}`, meta[key], 'field is immutable'));
  }
  const added = (meta.finalizers ?? []).filter((name) => !(old.finalizers ?? []).includes(name));
  if (old.deletionTimestamp !== undefined && added.length > 0) {
    const detail = `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`;
    errors.push(fieldError.forbidden('metadata.finalizers', detail));
  }
  return errors;
}
