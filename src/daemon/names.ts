/** How the kernel's objects of an instance are named; two instances never meet. */

/** The instance's cgroup, in each hierarchy. */
export function cgroupOf(instance: string): string {
  return `gantry-${instance}`;
}

/** What its links begin with (see core/networks/links.ts). */
export function linkPrefix(instance: string): string {
  return instance;
}

/** Whether an nftables table (`family name`) is the instance's. */
export function tableMark(instance: string, table: string): boolean {
  return (table.split(' ')[1] ?? '').includes(instance);
}
