/** Builds a resource of what is particular to its kind; all else is what every kind does. */
import { isDeepStrictEqual } from 'node:util';
import { applyDefaults } from '#api/kube/defaults.ts';
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { dnsSubdomainErrors } from '#api/kube/names.ts';
import { message as messageNamed } from '#api/kube/schema.ts';
import { type KubeObject, apiVersionOf } from '#api/kube/types.ts';
import { defaultColumns, defaultRow } from './columns.ts';
import { carryMetadata, validateMetadata, validateMetadataUpdate } from './metadata.ts';
import type { Cell, Column, Conversion, ObjectSubresource, Resource, RowContext, Subresource, Verb } from './types.ts';

export const allVerbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

export interface ResourceOptions<T extends KubeObject> {
  group?: string;
  version?: string;
  kind: string;
  plural: string;
  shortNames?: readonly string[];
  categories?: readonly string[];
  namespaced?: boolean;
  verbs?: readonly Verb[];
  /** In place of `<group>.<version>.<kind>`. */
  message?: string;
  storage?: string;
  convert?: Conversion<T>;
  /** The rule for names; a DNS subdomain where none is given. */
  name?: (value: string) => string[];
  /** It has a status that only `/status` may write. */
  status?: { validate?(object: T, old: T): FieldError[]; keepOnCreate?: boolean };
  /** The fields whose change counts `metadata.generation` up. */
  generationOf?: (object: T) => unknown;
  subresources?: readonly Subresource<T>[];
  columns?: readonly Column[];
  row?(object: T, context: RowContext): Cell[];
  gracePeriodSeconds?(object: T): number;
  allowCreateOnUpdate?: boolean;
  allowUnconditionalUpdate?: boolean;
  defaults?(object: T): void;
  prepareForCreate?(object: T): void;
  prepareForUpdate?(object: T, old: T): void;
  /** Of the kind's own fields; metadata is looked after. */
  validate?(object: T): FieldError[];
  /** What an update may not change; the new object is validated as on create as well. */
  validateUpdate?(object: T, old: T): FieldError[];
  warnings?(object: T): string[];
  selectableFields?(object: T): Record<string, string>;
}

export function defineResource<T extends KubeObject>(options: ResourceOptions<T>): Resource<T> {
  const group = options.group ?? '';
  const version = options.version ?? 'v1';
  const namespaced = options.namespaced ?? true;
  const message = options.message ?? `${group === '' ? 'core' : (group.split('.')[0] ?? group)}.${version}.${options.kind}`;
  const rules = { namespaced, name: options.name ?? dnsSubdomainErrors };
  const validate = (object: T): FieldError[] => [...validateMetadata(object.metadata, rules), ...(options.validate?.(object) ?? [])];
  return {
    group, version, namespaced,
    kind: options.kind,
    plural: options.plural,
    singular: options.kind.toLowerCase(),
    shortNames: options.shortNames ?? [],
    categories: options.categories ?? [],
    verbs: options.verbs ?? allVerbs,
    message,
    storage: options.storage ?? (group === '' ? options.plural : `${options.plural}.${group}`),
    ...(options.convert === undefined ? {} : { convert: options.convert }),
    subresources: [...(options.subresources ?? []), ...(options.status === undefined ? [] : [statusSubresource(options)])],
    columns: options.columns ?? defaultColumns,
    row: (object, context) => options.row?.(object, context) ?? defaultRow(object),
    gracePeriodSeconds: (object) => options.gracePeriodSeconds?.(object),
    allowCreateOnUpdate: options.allowCreateOnUpdate ?? false,
    allowUnconditionalUpdate: options.allowUnconditionalUpdate ?? true,
    defaults: (object) => {
      object.apiVersion = apiVersionOf({ group, version });
      object.kind = options.kind;
      applyDefaults(object, messageNamed(message));
      options.defaults?.(object);
    },
    prepareForCreate: (object) => prepareForCreate(options, object),
    prepareForUpdate: (object, old) => prepareForUpdate(options, object, old),
    validate,
    validateUpdate: (object, old) => [
      ...validateMetadataUpdate(object.metadata, old.metadata),
      ...validate(object),
      ...(options.validateUpdate?.(object, old) ?? []),
    ],
    warnings: (object) => options.warnings?.(object) ?? [],
    selectableFields: (object) => ({
      'metadata.name': object.metadata.name ?? '',
      ...(namespaced ? { 'metadata.namespace': object.metadata.namespace ?? '' } : {}),
      ...options.selectableFields?.(object),
    }),
  };
}

function prepareForCreate<T extends KubeObject>(options: ResourceOptions<T>, object: T): void {
  const loose: KubeObject = object;
  if (options.status !== undefined && options.status.keepOnCreate !== true) loose['status'] = {};
  if (options.generationOf === undefined) delete object.metadata.generation;
  else object.metadata.generation = 1;
  options.prepareForCreate?.(object);
}

function prepareForUpdate<T extends KubeObject>(options: ResourceOptions<T>, object: T, old: T): void {
  carryMetadata(object.metadata, old.metadata);
  if (options.status !== undefined) restore<KubeObject>(object, old, 'status');
  options.prepareForUpdate?.(object, old);
  const { generationOf } = options;
  if (generationOf !== undefined && !isDeepStrictEqual(generationOf(object), generationOf(old))) {
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  }
}

/** Makes a field what it was, absent where it was absent. */
export function restore<T extends object>(object: T, old: T, field: keyof T): void {
  if (old[field] === undefined) delete object[field];
  else object[field] = old[field];
}

function statusSubresource<T extends KubeObject>(options: ResourceOptions<T>): ObjectSubresource<T> {
  return {
    name: 'status',
    type: 'object',
    verbs: ['get', 'patch', 'update'],
    prepareForUpdate: (object, old) => {
      carryMetadata(object.metadata, old.metadata);
      const fields = new Set([...Object.keys(object), ...Object.keys(old)]);
      for (const field of fields) if (field !== 'status' && field !== 'metadata') restore<KubeObject>(object, old, field);
      restore(object.metadata, old.metadata, 'ownerReferences');
    },
    validateUpdate: (object, old) => [
      ...validateMetadataUpdate(object.metadata, old.metadata),
      ...(options.status?.validate?.(object, old) ?? []),
    ],
  };
}

/** An error where a field that is fixed at creation has changed. */
export function immutable(path: string, value: unknown, old: unknown): FieldError[] {
  return isDeepStrictEqual(value, old) ? [] : [fieldError.invalid(path, value, 'field is immutable')];
}

/** An error where a number is below zero. */
export function nonNegative(path: string, value: number | undefined): FieldError[] {
  return value === undefined || value >= 0 ? [] : [fieldError.invalid(path, value, 'must be greater than or equal to 0')];
}

/** The `/scale` of kinds with `spec.replicas` and `status.replicas`. */
export function scaleSubresource(): Subresource {
  return {
    name: 'scale', type: 'scale', verbs: ['get', 'patch', 'update'],
    kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    specReplicas: 'spec.replicas', statusReplicas: 'status.replicas', selector: 'spec.selector',
  };
}
