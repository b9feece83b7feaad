/** API versions that Gantry speaks. Only the minor number ever moved: 1.50 is 50. */
export const newestApi = 50;
export const oldestApi = 24;

export function showApi(minor: number): string {
  return `1.${minor}`;
}
