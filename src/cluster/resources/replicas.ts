/** Columns that replica sets and replication controllers share. */
import { ageColumn, column, nameColumn, wideColumn } from './columns.ts';
import type { Column } from './types.ts';

export const replicaColumns: readonly Column[] = [
  nameColumn,
  column('Desired', 'How many pods are wanted.', 'integer'),
  column('Current', 'How many pods there are.', 'integer'),
  column('Ready', 'How many pods are ready.', 'integer'),
  ageColumn,
  wideColumn('Containers', 'Names of the containers in the template.'),
  wideColumn('Images', 'Images of the containers in the template.'),
  wideColumn('Selector', 'The selector of its pods.'),
];
