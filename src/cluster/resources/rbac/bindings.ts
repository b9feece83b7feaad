/** Role bindings: who may do what a role says. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { pathSegmentErrors } from '#api/kube/names.ts';
import type { ClusterRoleBinding, RoleBinding, RoleRef, Subject } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf, wideColumn } from '../columns.ts';
import { defineResource, immutable } from '../resource.ts';
import type { Cell, Column, RowContext } from '../types.ts';
import { rbacGroup } from './roles.ts';

type Binding = RoleBinding | ClusterRoleBinding;

const columns: readonly Column[] = [
  nameColumn,
  column('Role', 'The role that is granted.'),
  ageColumn,
  wideColumn('Users', 'Users it is granted to.'),
  wideColumn('Groups', 'Groups it is granted to.'),
  wideColumn('ServiceAccounts', 'Service accounts it is granted to.'),
];

function row(binding: Binding, context: RowContext): Cell[] {
  const of = (kind: string): Subject[] => (binding.subjects ?? []).filter((subject) => subject.kind === kind);
  const names = (subjects: Subject[]): string => subjects.map(({ name }) => name).join(', ');
  const accounts = of('ServiceAccount').map(({ namespace, name }) => `${namespace ?? ''}/${name}`).join(', ');
  return [
    nameOf(binding), `${binding.roleRef.kind}/${binding.roleRef.name}`, ageOf(binding, context),
    names(of('User')), names(of('Group')), accounts,
  ];
}

function defaults(binding: Binding): void {
  const { roleRef } = binding;
  if (roleRef !== undefined && !roleRef.apiGroup) roleRef.apiGroup = rbacGroup;
  for (const subject of binding.subjects ?? []) {
    if (subject.kind !== 'ServiceAccount') subject.apiGroup ??= rbacGroup;
  }
}

function validate(binding: Binding, roleKinds: readonly string[]): FieldError[] {
  return [
    ...validateRoleRef(binding.roleRef, roleKinds),
    ...(binding.subjects ?? []).flatMap((subject, index) => validateSubject(subject, `subjects[${index}]`, roleKinds.length === 1)),
  ];
}

function validateRoleRef(ref: RoleRef | undefined, kinds: readonly string[]): FieldError[] {
  if (ref === undefined) return [fieldError.required('roleRef')];
  const errors: FieldError[] = [];
  if (ref.apiGroup !== rbacGroup) errors.push(fieldError.notSupported('roleRef.apiGroup', ref.apiGroup, [rbacGroup]));
  if (!kinds.includes(ref.kind)) errors.push(fieldError.notSupported('roleRef.kind', ref.kind ?? '', kinds));
  if (!ref.name) errors.push(fieldError.required('roleRef.name'));
  else errors.push(...pathSegmentErrors(ref.name).map((detail) => fieldError.invalid('roleRef.name', ref.name, detail)));
  return errors;
}

function validateSubject(subject: Subject, path: string, cluster: boolean): FieldError[] {
  const kinds = ['Group', 'ServiceAccount', 'User'];
  const errors: FieldError[] = [];
  if (!subject.name) errors.push(fieldError.required(`${path}.name`));
  if (!kinds.includes(subject.kind)) errors.push(fieldError.notSupported(`${path}.kind`, subject.kind, kinds));
  else if (subject.kind === 'ServiceAccount') {
    if (subject.apiGroup) errors.push(fieldError.notSupported(`${path}.apiGroup`, subject.apiGroup, ['']));
    if (cluster && !subject.namespace) errors.push(fieldError.required(`${path}.namespace`));
  } else if (subject.apiGroup !== rbacGroup) errors.push(fieldError.notSupported(`${path}.apiGroup`, subject.apiGroup, [rbacGroup]));
  return errors;
}

function roleRefKept(binding: Binding, old: Binding): FieldError[] {
  return immutable('roleRef', binding.roleRef, old.roleRef).map((error) => ({ ...error, detail: 'cannot change roleRef' }));
}

export const roleBindings = defineResource<RoleBinding>({
  group: rbacGroup, kind: 'RoleBinding', plural: 'rolebindings', name: pathSegmentErrors, allowCreateOnUpdate: true,
  columns, row, defaults,
  validate: (binding) => validate(binding, ['ClusterRole', 'Role']),
  validateUpdate: roleRefKept,
});

export const clusterRoleBindings = defineResource<ClusterRoleBinding>({
  group: rbacGroup, kind: 'ClusterRoleBinding', plural: 'clusterrolebindings', namespaced: false, name: pathSegmentErrors,
  allowCreateOnUpdate: true, columns, row, defaults,
  validate: (binding) => validate(binding, ['ClusterRole']),
  validateUpdate: roleRefKept,
});
