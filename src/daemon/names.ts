/** How the kernel's objects of an instance are named; two instances never meet. */

/** The instance's cgroup, in each hierarchy. */
export function cgroupOf(instance: string): string {
  return `gantry-${instance}`;
}

/** Whether a link is one of the instance's (see core/networks/links.ts). */
export function isLinkOf(instance: string, link: string): boolean {
  return link.startsWith(`gb${instance}`) || link.startsWith(`gv${instance}`);
}

/** Whether an nftables table (`family name`) is the instance's. */
export function tableMark(instance: string, table: string): boolean {
  return (table.split(' ')[1] ?? '').includes(instance);
}

/** The Service proxy's nftables table. */
export function servicesTable(instance: string): string {
  return `gantry_${instance}_services`;
}

/** A part of Gantry that lives in the daemon and may do all, as the API server knows it. */
export function component(name: string): { name: string; groups: string[] } {
  return { name: `system:gantry:${name}`, groups: ['system:masters'] };
}
